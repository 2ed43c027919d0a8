"""IFEval offline: lm-eval's own checks are the oracle where their data can be had, worked cases where it cannot."""

from __future__ import annotations

import contextlib
import json
import os
import random
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from evalkit.checks.ifeval import RULES, follow
from evalkit.checks.ifeval.words import count_words, tokens
from evalkit.checks.sentences import sentences
from evalkit.cli import main
from evalkit.registry import Registry
from evalkit.results import Run
from evalkit.types import Generated

KO_LONG = "오늘 회의에서는 다음 분기 예산과 새 제품 출시 일정을 함께 논의했습니다."

# instruction, what it is told, a response that follows it, one that does not
CASES: list[tuple[str, dict[str, Any], str, str]] = [
    ("keywords:existence", {"keywords": ["river", "서울"]}, "The River runs through 서울.", "The river runs."),
    ("keywords:frequency", {"keyword": "봄", "frequency": 2, "relation": "at least"}, "봄이다, 봄!", "봄이다."),
    ("keywords:frequency", {"keyword": "cat", "frequency": 2, "relation": "less than"}, "A cat.", "Cat on cat."),
    ("keywords:frequency", {"keyword": " cat ", "frequency": 2, "relation": "less than"}, "A cat.", "Cat,cat."),
    ("keywords:forbidden_words", {"forbidden_words": ["bad"]}, "A badge is fine.", "That is BAD."),
    ("keywords:forbidden_words", {"forbidden_words": ["나쁜"]}, "좋은 하루입니다.", "나쁜 하루입니다."),
    ("keywords:letter_frequency", {"letter": "Z", "let_frequency": 3, "let_relation": "at least"}, "zZz", "zoo zap"),
    ("keywords:letter_frequency", {"letter": "#", "let_frequency": 2, "let_relation": "less than"}, "#one", "##"),
    ("language:response_language", {"language": "ko"}, KO_LONG, "We met to discuss the budget of the next quarter."),
    ("language:response_language", {"language": "en"}, "We met to discuss the budget of the next quarter.", KO_LONG),
    ("language:response_language", {"language": "hi"}, "यह एक अच्छा दिन है और मौसम सुहावना है।", KO_LONG),
    ("length_constraints:number_sentences", {"num_sentences": 2, "relation": "less than"}, "Dr. Kim left.", "No. Go!"),
    ("length_constraints:number_sentences", {"num_sentences": 2, "relation": "at least"}, "가자. 그래!", "가자, 그래"),
    ("length_constraints:number_paragraphs", {"num_paragraphs": 2}, "one\n***\ntwo\n***", "one *** *** two"),
    ("length_constraints:number_words", {"num_words": 4, "relation": "at least"}, "it's two words", "just three words"),
    ("length_constraints:number_words", {"num_words": 3, "relation": "less than"}, "두 단어", "여기 세 단어"),
    (
        "length_constraints:nth_paragraph_first_word",
        {"num_paragraphs": 2, "nth_paragraph": 2, "first_word": "weekend"},
        "First.\n\n'Weekend, at last",
        "Weekend.\n\nSecond",
    ),
    ("detectable_content:number_placeholders", {"num_placeholders": 2}, "[이름]님, [address]", "[name\n] and [x]"),
    ("detectable_content:postscript", {"postscript_marker": "P.S."}, "Bye.\np. s. more", "Bye. PS more"),
    ("detectable_content:postscript", {"postscript_marker": "P.P.S"}, "P.P.S 하나 더", "P.S. 하나 더"),
    ("detectable_format:number_bullet_lists", {"num_bullets": 2}, "* 하나\n  - two\n** no", "* one\n1. two"),
    ("detectable_format:constrained_response", {}, "I think: My answer is maybe. 네", "My answer is Yes."),
    ("detectable_format:number_highlighted_sections", {"num_highlights": 2}, "*하나* and **two**", "** ** and *one*"),
    (
        "detectable_format:multiple_sections",
        {"section_spliter": "SECTION", "num_sections": 2},
        "SECTION 1 가\nSECTION2 나",
        "SECTION 1\nSection 2",
    ),
    (
        "detectable_format:multiple_sections",
        {"section_spliter": " Day ", "num_sections": 1},
        "Day\u00a03: rest",
        "day 3: rest",
    ),
    ("detectable_format:json_format", {}, '```JSON\n{"이름": [1, null]}\n```', "Here: {}"),
    ("detectable_format:title", {}, "<<봄의 기쁨>>\n본문", "<< >>\n<b>title</b>"),
    ("combination:two_responses", {}, "하나\n******\n둘", "same ****** same"),
    ("combination:repeat_prompt", {"prompt_to_repeat": "Say HI."}, "say hi. Hi!", "Sure: Say HI. Hi!"),
    ("startend:end_checker", {"end_phrase": "다 됐습니까?"}, '"네. 다 됐습니까?"', "다 됐습니까? 네."),
    ("startend:quotation", {}, ' "따옴표 안" ', '"'),
    (
        "change_case:capital_word_frequency",
        {"capital_frequency": 3, "capital_relation": "at least"},
        "DON'T STOP 한글",
        "NASA and The U.S. agree",
    ),
    ("change_case:english_capital", {}, "THIS IS WRITTEN IN ENGLISH, ALL OF IT.", "THIS IS Not."),
    (
        "change_case:english_lowercase",
        {},
        "this is written in english, all of it.",
        "esto está escrito en español aquí.",
    ),
    ("punctuation:no_comma", {}, "쉼표、없음，", "a, b"),
]


@pytest.mark.parametrize(("name", "told", "good", "bad"), CASES, ids=[f"{i}-{c[0]}" for i, c in enumerate(CASES)])
def test_worked_cases(name: str, told: dict[str, Any], good: str, bad: str) -> None:
    assert follow([name], [told], good).strict == (True,)
    assert follow([name], [told], bad).strict == (False,)


def test_every_one_of_the_25_has_a_case() -> None:
    assert {case[0] for case in CASES} == set(RULES)
    assert len(RULES) == 25


@pytest.mark.parametrize("name", sorted(RULES))
@pytest.mark.parametrize("response", ["", "  \n\t "])
def test_an_empty_response_follows_nothing(name: str, response: str) -> None:
    told = next(case[1] for case in CASES if case[0] == name)
    assert follow([name], [told], response).loose == (False,)


def test_loose_forgives_a_first_line_a_last_line_and_stars() -> None:
    said = "Sure, here it is:\n<<제목>>\nno commas here *at all*\nHope it helps, friend!"
    found = follow(["punctuation:no_comma", "detectable_format:title"], [{}, {}], said)
    assert (found.strict, found.loose) == ((False, True), (True, True))
    two = follow(["startend:end_checker"], [{"end_phrase": "The end."}], "text\n**The end.**")
    assert (two.strict, two.loose) == ((False,), (True,))


def test_an_instruction_that_is_not_told_what_it_needs_is_an_error_and_not_a_verdict() -> None:
    with pytest.raises(ValueError, match="num_words"):
        follow(["length_constraints:number_words"], [{"relation": "at least", "num_words": None}], "text")
    with pytest.raises(ValueError, match="did you mean punctuation:no_comma"):
        follow(["punctuation:no_coma"], [{}], "text")
    told = {"keyword": "a", "frequency": 1, "relation": "exactly"}
    with pytest.raises(ValueError, match="neither"):
        follow(["keywords:frequency"], [told], "text")


PIECES = [
    *(
        "*",
        "**",
        "***",
        "******",
        "\n",
        "\n\n",
        "- ",
        "* ",
        "[",
        "]",
        "<<",
        ">>",
        "P.S.",
        "P. P. S",
        '"',
        "'",
        ",",
        ".",
    ),
    *(
        "!",
        "?",
        "...",
        " ",
        "\t",
        "Section 1",
        "SECTION 2",
        "U.S.",
        "Dr.",
        "DON'T",
        "CAN'T",
        "I'M",
        "GONNA",
        "A/B",
        "AT&T",
    ),
    *(
        "hello",
        "The",
        "word",
        "WORLD",
        "안녕하세요",
        "한국어로 씁니다.",
        "नमस्ते",
        "é",
        "e\u0301",
        "```json",
        "```",
        "{}",
        "1.",
        "3.5",
        "#",
    ),
    *(
        "My answer is no.",
        "“",
        "”",
        "’s",
        "--",
        "—",
        ":",
        ";",
        "(",
        ")",
        "$",
        "p.m.",
        "etc.",
        "J.",
        "i.e.",
        "'tis",
        "\r",
        "\u2028",
    ),
]
RESPONSES = st.lists(st.sampled_from(PIECES), max_size=24).map("".join) | st.text(max_size=80)


@given(RESPONSES, st.sampled_from(CASES))
@settings(max_examples=400, deadline=None)
def test_loose_is_never_stricter_than_strict(response: str, case: tuple[str, dict[str, Any], str, str]) -> None:
    found = follow([case[0]], [case[1]], response)
    assert found.loose[0] >= found.strict[0]


@pytest.mark.parametrize("unit", ["*", "\n", "* \n", "[", "<<", " ", "a.", "! ", '"', ")", "```", "A ", "***", "'"])
def test_long_responses_of_one_mark_cost_no_more_than_their_length(unit: str) -> None:
    """Patterns that look again from every place take minutes on these; the suite's own limit would end them."""
    response = unit * (60_000 // len(unit))
    for name, told, _, _ in CASES:
        if not name.startswith(("language:", "change_case:english")):
            follow([name], [told], response)


def test_the_language_is_the_same_whatever_else_drew_random_numbers() -> None:
    short = ["ok", "nein, si", "la casa de papel", "bon appetit my friend", "대한민국 OK"]
    found = []
    for seed in range(5):
        random.seed(seed)
        asked = [({"language": code}, text) for text in short for code in ("en", "de", "es", "fr", "ko")]
        found.append([follow(["language:response_language"], [told], text).strict for told, text in asked])
    assert all(row == found[0] for row in found)


def test_the_rules_need_neither_nltk_nor_lm_eval() -> None:
    probe = (
        "import sys\n"
        "from evalkit.checks.ifeval import follow\n"
        "told = [{'num_words': 1, 'relation': 'at least'}, {'capital_frequency': 1, 'capital_relation': 'at least'}]\n"
        "follow(['length_constraints:number_words', 'change_case:capital_word_frequency'], told, 'HI. You.')\n"
        "print(sorted({'nltk', 'lm_eval', 'numpy', 'datasets'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


# ── beside the original ──────────────────────────────────────────────────────


@pytest.fixture(scope="session")
def nltk_data(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """NLTK with its English Punkt model, written from a package that carries the same tables: nothing is fetched."""
    nltk = pytest.importorskip("nltk", reason="nltk is in the dev extra")
    from punkt import load_model

    model = load_model("english")
    root = tmp_path_factory.mktemp("nltk_data")
    folder = root / "tokenizers" / "punkt_tab" / "english"
    folder.mkdir(parents=True)
    (folder / "collocations.tab").write_text("".join(f"{a}\t{b}\n" for a, b in sorted(model.collocations)))
    (folder / "sent_starters.txt").write_text("\n".join(sorted(model.sent_starters)))
    (folder / "abbrev_types.txt").write_text("\n".join(sorted(model.abbrev_types)))
    (folder / "ortho_context.tab").write_text("".join(f"{w}\t{n}\n" for w, n in model.ortho_context.items()))
    nltk.data.path.insert(0, str(root))
    yield nltk
    nltk.data.path.remove(str(root))


@pytest.fixture(scope="session")
def original(nltk_data: Any) -> Any:
    """lm-eval's own checks, with the seed that langdetect does not set by itself."""
    pytest.importorskip("immutabledict", reason="lm-eval's ifeval needs immutabledict: it is in the dev extra")
    import langdetect
    from lm_eval.tasks.ifeval import utils

    langdetect.DetectorFactory.seed = 0
    return utils


PROSE = [
    "Dr. Smith arrived at 5 p.m. Bring your coat. He said it was cold in the U.S. The end.",
    'She asked, "Are you sure?" Nobody answered... Then he left. (It was late.) Good night!!!',
    "1. First do this. 2. then that. See e.g. the notes, i.e. page 3.5 of vol. 2. J. Smith wrote it.",
    "오늘은 날씨가 좋습니다. 내일은 비가 올까요? 정말 그렇군요! 끝.",
    "Well… I think so. Mr. Kim and Mrs. Lee, Inc. agreed. Etc. etc. And so on.",
    "WE DON'T KNOW. I'M SURE YOU CAN'T, AND THEY'LL CANNOT. GONNA GO? AT&T SAID 'NO' TO THE U.S.A.",
]
# Python and `regex` disagree on what is a space and what is a letter: U+001F, a combining mark, a superscript.
SPACES = [" ", "\t", "\n", "\r", "\x0b", "\x1c", "\x1f", "\x85", "\xa0", "\u200b", "\u2028", "\u3000", "\ufeff"]
MARKS = [*".?!;:,-'\"()[]*", "...", ". . .", "--", "``", "''", '."', ".)", "?!", "”", "’", "…"]
WORDS = ["Dr", "e.g", "U.S", "J", "I", "The", "He", "no", "3.5", "١٢", "दि", "e\u0301", "\u0345", "²", "İ", "ǅ", "가"]
CLITICS = ["DON'T", "CANNOT", "GONNA", "D'YE", "WANNA", "LEMME", "'TIS", "n't", "'s"]
SCRAPS = st.lists(st.sampled_from(SPACES) | st.sampled_from(MARKS) | st.sampled_from(WORDS + CLITICS), max_size=14)


@given(
    RESPONSES | st.lists(st.sampled_from(PROSE), max_size=3).map(" ".join) | SCRAPS.map("".join) | SCRAPS.map(" ".join)
)
@example(".\x1f0")
@example("e\u0301CANNOT go.")
@settings(max_examples=600, deadline=None)
def test_sentences_and_words_are_those_that_nltk_finds(nltk_data: Any, text: str) -> None:
    assert sentences(text) == nltk_data.tokenize.sent_tokenize(text)
    theirs = nltk_data.tokenize.word_tokenize(text)
    assert sum(map(str.isupper, tokens(text))) == sum(map(str.isupper, theirs))
    assert count_words(text) == len(nltk_data.tokenize.RegexpTokenizer(r"\w+").tokenize(text))


def documents(hub: Path) -> list[dict[str, Any]]:
    import pyarrow.parquet as pq

    (file,) = (hub / "google" / "IFEval" / "data").glob("*.parquet")
    return pq.read_table(file).to_pylist()


def write_response(doc: Mapping[str, Any], draw: random.Random) -> str:
    """A response that has a chance of following what this prompt asks, and a chance of not."""
    words = draw.choice([*PROSE, doc["prompt"]]).split(" ") * draw.randint(1, 4)
    for _ in range(draw.randint(0, 10)):
        words.insert(draw.randrange(len(words) + 1), draw.choice(PIECES))
    text = " ".join(words) if draw.random() < 0.8 else "".join(draw.choices(PIECES, k=draw.randint(0, 20)))
    for told in doc["kwargs"]:
        for key, value in told.items():
            if value is None or draw.random() < 0.25:
                continue
            text = _as_told(key, value, told, text, draw)
    text = draw.choice([text, text, text, f'"{text}"', text.upper(), text.lower(), f"{text}\n******\n{text[::-1]}"])
    return text if draw.random() < 0.8 else f"Sure, here it is:\n{text}\nHope this helps!"


def _as_told(key: str, value: Any, told: Mapping[str, Any], text: str, draw: random.Random) -> str:
    if key in ("keywords", "forbidden_words"):
        return f"{text} {' '.join(value)}"
    if key == "keyword":
        return text + f" {value}" * draw.randint(0, 5)
    if key == "letter":
        return text + value * draw.randint(0, 9)
    if key == "prompt_to_repeat":
        return f"{value}\n{text}"
    if key == "end_phrase":
        return f"{text}\n{value}"
    if key == "first_word":
        return value.capitalize() + draw.choice([" ", ", ", "'s "]) + text
    if key == "num_bullets":
        return text.replace("*", "").replace("-", "") + "\n* point" * int(value)
    if key == "num_paragraphs":
        return draw.choice(["\n\n", "***", "\n***\n"]).join(
            [f"{told.get('first_word') or 'x'} {text[:30]}"] * int(value)
        )
    if key == "num_sections":
        return text + "".join(f"\n{told['section_spliter']} {i}\nsome" for i in range(int(value)))
    if key == "num_placeholders":
        return text + " [place]" * int(value)
    if key == "num_highlights":
        return text + " *word*" * int(value)
    if key == "postscript_marker":
        return f"{text}\n{value} one more"
    if key == "language" and value in SAID:
        return SAID[value]
    if key == "num_sentences":
        return " ".join(draw.choices(PROSE, k=1 + int(value) // 3))
    if key == "num_words":
        return " ".join([text] + ["word"] * draw.choice([0, int(value) // 2, int(value)]))
    return text


SAID = {
    "ko": KO_LONG,
    "hi": "यह एक अच्छा दिन है और मौसम सुहावना है।",
    "de": "Das ist ein sehr schöner Tag, nicht wahr?",
    "ru": "Сегодня очень хорошая погода на улице.",
    "th": "วันนี้อากาศดีมากและฉันมีความสุข",
    "ar": "الطقس جميل جدا اليوم في المدينة",
    "vi": "Hôm nay thời tiết rất đẹp và tôi rất vui.",
    "ta": "இன்று வானிலை மிகவும் நன்றாக உள்ளது",
    "fa": "امروز هوا بسیار خوب است و من خوشحالم",
}
DRAWN_BY_THE_ORIGINAL = {"#", "!"}
"""Letters that two prompts ask for and the original replaces by one drawn at random."""


@pytest.mark.hub
def test_all_541_prompts_are_judged_as_the_original_judges_them(hub: Path, original: Any) -> None:
    """Several responses to each; every instruction is seen followed and not followed, and no verdict differs."""
    draw = random.Random(20)
    seen: Counter[tuple[str, bool]] = Counter()
    for _ in range(4):
        for doc in documents(hub):
            response = write_response(doc, draw)
            theirs = original.process_results(doc, [response])
            ours = follow(doc["instruction_id_list"], doc["kwargs"], response)
            for place, name in enumerate(doc["instruction_id_list"]):
                if doc["kwargs"][place].get("letter") in DRAWN_BY_THE_ORIGINAL:
                    continue
                both = ours.strict[place], ours.loose[place]
                expected = theirs["inst_level_strict_acc"][place], theirs["inst_level_loose_acc"][place]
                assert both == expected, (name, doc["kwargs"][place], response)
                seen[name, both[0]] += 1
    assert {name for name, verdict in seen if verdict} == set(RULES)
    assert {name for name, verdict in seen if not verdict} == set(RULES)
    assert sum(seen.values()) > 3_000


def test_worked_cases_are_judged_alike_by_the_original(original: Any) -> None:
    for name, told, good, bad in CASES:
        if told.get("letter") in DRAWN_BY_THE_ORIGINAL:
            continue
        for response in (good, bad, f"Sure:\n{good}", f"{bad}\n*{good}*"):
            doc = {"key": 1, "prompt": "p", "instruction_id_list": [name], "kwargs": [told]}
            theirs = original.process_results(doc, [response])
            ours = follow([name], [told], response)
            assert list(ours.strict) == theirs["inst_level_strict_acc"], (name, response)
            assert list(ours.loose) == theirs["inst_level_loose_acc"], (name, response)


# ── the task ─────────────────────────────────────────────────────────────────


@contextlib.contextmanager
def standing_in(folder: Path) -> Iterator[None]:
    before = Path.cwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)


@pytest.mark.hub
def test_prompts_settings_and_hashes_are_lm_evals(hub: Path, original: Any) -> None:
    from lm_eval.tasks import TaskManager
    from lm_eval.utils import handle_non_serializable, hash_string

    from evalkit.registry.lmeval import BUILTIN_TASKS

    task = Registry(data_dir=hub).load(["ifeval"]).tasks["ifeval"]
    with standing_in(hub):
        manager = TaskManager(include_defaults=False, include_path=[BUILTIN_TASKS / "ifeval"])
        theirs = manager.load(["ifeval"])["tasks"]["ifeval"]
    theirs.set_fewshot_seed(1234)
    theirs.build_all_requests()
    made = task.build()
    assert len(made) == 541 == len(theirs.instances)
    assert (task.version, task.num_fewshot) == (theirs.VERSION, 0)
    for document, instance in zip(made, theirs.instances, strict=True):
        (request,) = document.requests
        assert (request.context, request.gen_kwargs) == instance.args
        said = json.dumps(instance.doc, indent=2, default=handle_non_serializable, ensure_ascii=False)
        assert document.doc_hash == hash_string(said)
    assert {name.partition(",")[0] for name in task.metrics} == set(theirs.aggregation())


@pytest.mark.hub
def test_rows_and_figures_are_lm_evals(hub: Path, original: Any) -> None:
    draw = random.Random(4)
    task = Registry(data_dir=hub).load(["ifeval"]).tasks["ifeval"]
    rows, expected = [], []
    for document in task.build(120):
        response = write_response(document.doc, draw)
        (row,) = task.score(document, [[Generated(0, response, "stop", 1)]])
        if not DRAWN_BY_THE_ORIGINAL & {told.get("letter") for told in document.doc["kwargs"]}:
            expected.append(original.process_results(document.doc, [response]))
            assert row.metrics == expected[-1]
            rows.append(row)
    figures = task.aggregate(rows)
    for level in ("strict", "loose"):
        verdicts = [item[f"inst_level_{level}_acc"] for item in expected]
        pooled = figures[f"inst_level_{level}_acc,none"]
        assert pooled.value == original.agg_inst_level_acc(verdicts)
        assert pooled.stderr is not None
        assert pooled.ci95 is not None
        assert pooled.ci95[0] < pooled.value < pooled.ci95[1]
        prompts = [item[f"prompt_level_{level}_acc"] for item in expected]
        assert figures[f"prompt_level_{level}_acc,none"].value == pytest.approx(sum(prompts) / len(prompts))


def record(path: Path, outputs: Sequence[tuple[int, str]]) -> Path:
    rows = [{"task": "ifeval", "doc_id": number, "output": said} for number, said in outputs]
    path.write_text("\n".join(json.dumps(row, ensure_ascii=False) for row in rows) + "\n", encoding="utf-8")
    return path


def cli(*argv: str) -> int:
    try:
        main(list(argv))
    except SystemExit as stop:
        return int(stop.code or 0)
    return 0


@pytest.mark.hub
def test_recorded_answers_are_scored_compared_and_gated_at_instruction_level(hub: Path, tmp_path: Path) -> None:
    """Line by line the table averages to the figure; a gate on instructions pairs instruction with instruction."""
    prompts = [doc["prompt"] for doc in documents(hub)]
    good = [(number, f"<<제목>>\n* {prompt.replace(',', '')}\n* x\nP.S. bye") for number, prompt in enumerate(prompts)]
    worse = [(number, said if number % 3 else said.replace("x", "x,")) for number, said in good]
    root = str(tmp_path / "results")
    for name, outputs in (("base", good), ("next", worse), ("part", good[:500])):
        file = record(tmp_path / f"{name}.jsonl", outputs)
        argv = ["score", str(file), "--data-dir", str(hub), "--output-path", root, "--name", name]
        assert cli(*argv) == 0
    base = Run.open(tmp_path / "results" / "base" / "base")
    entry = base.results["tasks"]["ifeval"]
    table = base.scores().to_pandas()
    assert len(entry["metrics"]) == 4
    for key, figure in entry["metrics"].items():
        lines = table[table.metric == key.partition(",")[0]]
        assert lines.value.mean() == pytest.approx(figure["value"], abs=1e-12)
        assert len(lines) == (834 if key.startswith("inst_level") else 541)
        assert lines.doc_id.nunique() == 541
    policy = tmp_path / "gate.yaml"
    policy.write_text("tasks:\n  ifeval: {metric: 'inst_level_strict_acc,none', max_drop: 0.01}\n")
    assert cli("gate", "base", "base", "--policy", str(policy), "--output-path", root) == 0
    assert cli("gate", "base", "next", "--policy", str(policy), "--output-path", root) == 1
    assert cli("gate", "base", "part", "--policy", str(policy), "--output-path", root) in (1, 3)


@pytest.mark.hub
def test_a_run_equals_lm_evals_own_and_joins_with_it_instruction_by_instruction(
    hub: Path, original: Any, tiny_model: Path, tmp_path: Path
) -> None:
    """The same checkpoint through both harnesses; lm-eval's folder is then compared with ours as it lies."""
    import lm_eval
    from lm_eval.loggers import EvaluationTracker
    from lm_eval.tasks import TaskManager

    from evalkit.registry.lmeval import BUILTIN_TASKS

    asked: dict[str, Any] = {"limit": 6, "gen_kwargs": {"max_gen_toks": 24}}
    root = str(tmp_path / "results")
    argv = ["run", "--model", str(tiny_model), "--engine", "hf", "--model-args", "dtype=float32", "--tasks", "ifeval"]
    argv += ["--limit", "6", "--gen-kwargs", "max_gen_toks=24", "--data-dir", str(hub), "--output-path", root]
    assert cli(*argv, "--name", "ours") == 0
    with standing_in(hub):
        theirs: dict[str, Any] = lm_eval.simple_evaluate(
            model="hf",
            model_args=f"pretrained={tiny_model},dtype=float32",
            tasks=["ifeval"],
            task_manager=TaskManager(include_defaults=False, include_path=[BUILTIN_TASKS / "ifeval"]),
            device="cpu",
            batch_size=1,
            **asked,
        )
    ours = Run.open(next((tmp_path / "results").glob("*/ours")))
    samples = theirs.pop("samples")
    for row, sample in zip(ours.rows("ifeval"), samples["ifeval"], strict=True):
        for key in ("doc_hash", "prompt_hash", "target_hash", "filter", "metrics", *sample["metrics"]):
            assert row[key] == sample[key], key
    for name, figure in ours.results["tasks"]["ifeval"]["metrics"].items():
        assert figure["value"] == theirs["results"]["ifeval"][name]
    tracker = EvaluationTracker(output_path=str(tmp_path / "lm-eval"))
    tracker.save_results_aggregated(results=theirs, samples=samples)
    tracker.save_results_samples(task_name="ifeval", samples=samples["ifeval"])
    policy = tmp_path / "gate.yaml"
    policy.write_text("tasks:\n  ifeval: {metric: 'inst_level_loose_acc,none', max_drop: 0.5}\n")
    shown = tmp_path / "gate.json"
    gate = ["gate", str(tmp_path / "lm-eval"), "ours", "--policy", str(policy), "--output-path", root]
    assert cli(*gate, "--json", str(shown)) in (0, 1, 3)  # lm-eval does not say which answers were cut off
    task = json.loads(shown.read_text())["tasks"]["ifeval"]
    told = sum(len(sample["doc"]["instruction_id_list"]) for sample in samples["ifeval"])
    assert (task["n"], task["delta"]) == (told, 0)
