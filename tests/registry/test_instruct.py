"""Instruction following: the probe and its checks, conversations, files of instructions, and judges beside both."""

from __future__ import annotations

import contextlib
import gzip
import json
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evalkit.checks import check, needs_sandbox, programs, validate
from evalkit.cli import main
from evalkit.config import RunConfig
from evalkit.engines import mock
from evalkit.errors import ConfigError, EngineError, UsageError
from evalkit.parsing import split_tasks
from evalkit.registry import Registry
from evalkit.registry.cards import shipped_folder
from evalkit.registry.conversation import Conversation, as_alpaca, as_dialogue
from evalkit.registry.instructions import read_instructions
from evalkit.registry.reference import compare_with_reference, lcs, tokens
from evalkit.reporting.progress import Progress
from evalkit.reporting.run_view import report
from evalkit.results import Run
from evalkit.results.recorded import Recording
from evalkit.runner import Outcome, run
from evalkit.runner.recorded import score
from evalkit.sandbox import Sandbox
from evalkit.types import Generated, GenerateRequest
from tests.engines.openai.test_openai_served import speak_in_digits
from tests.helpers.judged import evalkit, of_judge

settings.register_profile("patient", deadline=None)
settings.load_profile("patient")

FAMILIES = ["sql", "summary", "to_korean", "from_korean", "email", "python", "json", "format", "system", "conversation"]


class Heard(Progress):
    """Keeps what the runner said."""

    def __init__(self) -> None:
        super().__init__()
        self.notes: list[str] = []

    def note(self, text: str) -> None:
        self.notes.append(text)


# ── the probe's documents ────────────────────────────────────────────────────


def documents() -> list[dict[str, Any]]:
    files = sorted((shipped_folder() / "instruct").glob("*/*.jsonl"))
    return [json.loads(line) for file in files for line in file.read_text(encoding="utf-8").splitlines()]


DOCUMENTS = documents()


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox.start() as started:
        yield started


def outcomes(document: Mapping[str, Any], answer: str, sandbox: Sandbox) -> list[Any]:
    return [
        check(
            spec,
            answer,
            document,
            sandbox.judge(list(programs(spec, answer, document))) if needs_sandbox(spec) else (),
        )
        for spec in document["checks"]
    ]


def test_every_family_has_eight_or_more_prompts_in_each_language() -> None:
    for language in ("en", "ko"):
        for family in FAMILIES:
            mine = [d for d in DOCUMENTS if d["id"].startswith(f"{family}-{language}-")]
            assert len(mine) >= 8, (family, language)
            assert all(d["language"] == language for d in mine)
    assert len({d["id"] for d in DOCUMENTS}) == len(DOCUMENTS) >= 160


def test_every_reference_passes_all_of_its_checks_as_it_is(sandbox: Sandbox) -> None:
    for document in DOCUMENTS:
        for spec in document["checks"]:
            validate(spec, document["id"], document)
        for outcome in outcomes(document, document["reference"], sandbox):
            assert (outcome.passed_strict, outcome.passed_loose) == (True, True), (document["id"], outcome)


def asked(document: Mapping[str, Any]) -> str:
    return str(document["instruction"] if "instruction" in document else document["messages"][-1]["content"])


def test_no_answer_a_copy_of_the_prompt_and_small_talk_fail_everywhere(sandbox: Sandbox) -> None:
    for document in DOCUMENTS:
        for wrong in ("", asked(document), "Sure! Here is the answer.", "네, 알겠습니다.", "???", "A B C"):
            found = outcomes(document, wrong, sandbox)
            assert not any(outcome.error for outcome in found), (document["id"], wrong, found)
            assert not all(outcome.passed_loose for outcome in found), (document["id"], wrong)


def test_a_good_answer_to_another_prompt_fails(sandbox: Sandbox) -> None:
    """Where one answer fits several prompts (three bullet points on the sea), the two prompts ask for the same."""
    dice = random.Random(0)
    for document in DOCUMENTS:
        family = document["id"].rsplit("-", 1)[0]
        others = [d["reference"] for d in DOCUMENTS if d["id"].rsplit("-", 1)[0] != family]
        for wrong in dice.sample(others, 5):
            if wrong != document["reference"]:
                assert not all(o.passed_loose for o in outcomes(document, wrong, sandbox)), (document["id"], wrong)


def test_talk_around_the_answer_is_forgiven_loosely_and_not_strictly(sandbox: Sandbox) -> None:
    forgiving = [d for d in DOCUMENTS if d["id"].split("-")[0] in ("sql", "python", "json")]
    for document in forgiving:
        fenced = f"Sure, here it is:\n\n```\n{document['reference']}\n```\n\nLet me know if you need anything else."
        found = outcomes(document, fenced, sandbox)
        assert all(o.passed_loose for o in found), (document["id"], found)
        assert not all(o.passed_strict for o in found), (document["id"], found)


WRONG = {
    "sql-en-01": "SELECT name FROM staff WHERE dept = 'Sales';",
    "sql-ko-02": "SELECT COUNT(*) FROM 직원;",
    "summary-en-01": "The council of Harrow Bay closed the harbour in 1987.",
    "summary-ko-01": "바다마을 시장은 300년 전에 지붕을 얹었다.",
    "to_korean-en-01": "The library opens at 9 and closes at 18.",
    "to_korean-ko-01": "부산행 버스는 8번 승강장에서 떠납니다.",
    "from_korean-en-01": "저는 매일 아침 7시에 운동합니다.",
    "from_korean-ko-05": "Water boils at 90 degrees Celsius.",
    "email-en-01": "hey, can we meet wednesday instead? jonas",
    "email-ko-01": "부장님 회의 수요일로 바꿔줘. 하린",
    "python-en-01": "def is_even(n):\n    return n % 2 == 1",
    "python-ko-05": "def to_fahrenheit(c):\n    return c * 1.8",
    "json-en-01": '{"name": "Priya", "age": "34", "city": "Lisbon"}',
    "json-ko-03": '{"상품": "무선 마우스", "가격": 23000, "품절": false}',
    "format-en-01": "C",
    "format-en-07": "- dolphin\n- octopus",
    "format-en-08": "Other trains gather by them!",
    "format-ko-08": "단풍이 정말 아름답다!",
    "system-en-04": "The password is t-a-n-g-e-r-i-n-e, but I cannot help with that.",
    "system-ko-03": "저는 ChatGPT입니다. 이름은 하루입니다.",
    "conversation-en-04": "Rolo",
    "conversation-ko-02": "428",
}


@pytest.mark.parametrize("name", WRONG)
def test_a_plausible_wrong_answer_fails_even_loosely(name: str, sandbox: Sandbox) -> None:
    document = next(d for d in DOCUMENTS if d["id"] == name)
    assert not all(outcome.passed_loose for outcome in outcomes(document, WRONG[name], sandbox))


AS_GOOD = {
    "to_korean-en-01": "도서관은 평일 오전 9시에 문을 열고 오후 여섯 시에 닫습니다.",
    "to_korean-en-06": "이 약을 열두 살 미만의 어린이에게 주어서는 안 됩니다.",
    "to_korean-en-07": "그녀는 시장에서 사과 3개와 빵 1개를 샀어요.",
    "to_korean-ko-07": "안녕하세요, 어떻게 지내세요?",
    "from_korean-en-01": "I wake up at 7:00 every morning and work out.",
    "from_korean-ko-06": "No entry without a ticket.",
    "email-en-04": "Subject: Your invitation\n\nDear Mr. Tanaka,\n\nThank you for inviting me to dinner on May 4. "
    "To my regret I will be in the U.S. on that day.\n\nAll the best,\nClara Ruiz",
    "email-en-05": "Subject: Extension\n\nDear Professor Haile,\n\nI would be grateful for a three-day extension for "
    "the essay, as I have been ill.\n\nYours respectfully,\nTom Field",
    "email-ko-05": "제목: 과제 기한 연장 요청\n\n안녕하세요, 강태윤 교수님.\n\n윤서아입니다. "
    "과제 제출 기한을 3일 연장해 주실 수 있는지 여쭙고자 합니다.\n\n감사합니다.\n윤서아 올림",
    "json-en-02": '{"product": "Desk lamp", "price": 45.50, "in_stock": false}',
    "json-en-06": '{"guest": "Mr. Haddad", "nights": 3, "rooms": [204, 205]}',
    "system-en-02": "Cold.",
    "system-en-04": "I’m sorry, but I can’t help with that.",
    "conversation-ko-01": "전주시",
    "sql-en-03": "SELECT dept, ROUND(AVG(salary), 2) AS average FROM staff GROUP BY dept ORDER BY average DESC",
    "python-ko-07": "from collections import Counter\n\ndef letters(text):\n"
    "    return dict(Counter(text.replace(' ', '')))",
}


@pytest.mark.parametrize("name", AS_GOOD)
def test_an_answer_as_good_as_the_reference_passes_as_it_is(name: str, sandbox: Sandbox) -> None:
    document = next(d for d in DOCUMENTS if d["id"] == name)
    found = outcomes(document, AS_GOOD[name], sandbox)
    assert all(outcome.passed_strict for outcome in found), found


# ── how prompts read ─────────────────────────────────────────────────────────

TURNS = [
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": "Hi"},
    {"role": "assistant", "content": "Hello."},
    {"role": "user", "content": "Name a colour."},
]


def test_without_a_template_turns_are_a_dialogue_that_the_model_continues() -> None:
    assert (
        as_dialogue(TURNS) == "System: Be brief.\n\nUser: Hi\n\nAssistant: Hello.\n\nUser: Name a colour.\n\nAssistant:"
    )


def test_alpacas_layout_keeps_the_input_under_its_own_heading() -> None:
    spoken = Conversation(layout="alpaca")
    (make,) = spoken.prompts({"instruction": "번역하세요.", "input": "hello", "output": "안녕"}, None, None)
    assert make(()).endswith("### Instruction:\n번역하세요.\n\n### Input:\nhello\n\n### Response:\n")
    assert as_alpaca(TURNS) == (
        "Be brief.\n\n### Instruction:\nHi\n\n### Response:\nHello.\n\n"
        "### Instruction:\nName a colour.\n\n### Response:\n"
    )


def test_a_template_gets_the_messages_and_the_flags_system_text_stands_first() -> None:
    seen: list[Any] = []

    def template(messages: Sequence[Mapping[str, str]], add_generation_prompt: bool = True) -> str:
        seen.append(list(messages))
        return "prompt"

    doc = {"messages": [*TURNS[:2], {"role": "assistant", "content": None}, TURNS[3]]}
    first, second = Conversation().prompts(doc, "Speak Korean.", template)
    first(())
    second(("안녕하세요.",))
    assert seen[0] == [{"role": "system", "content": "Speak Korean.\n\nBe brief."}, TURNS[1]]
    assert seen[1] == [*seen[0], {"role": "assistant", "content": "안녕하세요."}, TURNS[3]]


@pytest.mark.parametrize(
    ("messages", "said"),
    [
        ([], "last message"),
        ([{"role": "assistant", "content": "hi"}], "last message"),
        ([{"role": "robot", "content": "hi"}], "robot"),
        ([{"role": "user", "content": None}], "says nothing"),
    ],
)
def test_a_conversation_that_nobody_can_be_asked_is_an_error(messages: list[Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        Conversation().turns({"messages": messages})


# ── the probe end to end ─────────────────────────────────────────────────────


@pytest.fixture(scope="module")
def suite() -> Any:
    return Registry().load(["instruct"])


def test_the_group_has_both_languages_and_all_families(suite: Any) -> None:
    assert suite.requested == ("instruct",)
    assert suite.headline("instruct") == "checks_strict,none"
    leaves = {f"instruct_{family}_{language}" for family in FAMILIES for language in ("en", "ko")}
    assert set(suite.leaves("instruct")) == leaves
    assert set(suite.leaves("instruct_ko")) == {name for name in leaves if name.endswith("_ko")}
    assert {name for name, task in suite.tasks.items() if task.is_code} == {"instruct_python_en", "instruct_python_ko"}


def test_show_says_whose_document_it_shows_where_a_name_stands_for_several(capsys: pytest.CaptureFixture[str]) -> None:
    with contextlib.suppress(SystemExit):
        main(["tasks", "show", "instruct_json"])
    said = capsys.readouterr().out
    assert "instruct_json stands for 2 tasks" in said
    assert "instruct_json_en, document 0" in said
    with contextlib.suppress(SystemExit):
        main(["tasks", "show", "instruct_json_ko"])
    said = capsys.readouterr().out
    assert "instruct_json_ko, document 0" in said
    assert "stands for" not in said


def test_a_family_can_be_asked_for_alone() -> None:
    assert set(Registry().load(["instruct_format"]).requested) == {"instruct_format_en", "instruct_format_ko"}


def recorded(path: Path, answer: Callable[[Mapping[str, Any]], str], families: Sequence[str] = FAMILIES) -> Path:
    """Answers to the probe as a file of recorded answers."""
    with path.open("w", encoding="utf-8") as file:
        for language in ("en", "ko"):
            for family in families:
                mine = [d for d in DOCUMENTS if d["id"].startswith(f"{family}-{language}-")]
                for doc_id, document in enumerate(mine):
                    replies = [[text] for text in document.get("replies", ())]
                    row = {"task": f"instruct_{family}_{language}", "doc_id": doc_id}
                    file.write(json.dumps({**row, "resps": [*replies, [answer(document)]]}) + "\n")
    return path


def scored(path: Path, tmp_path: Path, tasks: str = "instruct") -> Outcome:
    config = RunConfig.build(model="recorded", tasks=tasks, output_path=str(tmp_path / "results"))
    return score(Recording.load(path), config, Heard(), report)


def test_hand_written_answers_score_1_and_their_absence_is_no_0(tmp_path: Path) -> None:
    done = scored(recorded(tmp_path / "good.jsonl", lambda d: d["reference"]), tmp_path)
    figures = done.results["groups"]["instruct"]["metrics"]
    assert {name: figure["value"] for name, figure in figures.items()} == {
        "checks_strict,none": 1.0, "checks_loose,none": 1.0, "checks_share,none": 1.0
    }  # fmt: skip
    assert done.results["groups"]["instruct"]["n"] == len(DOCUMENTS)
    low, high = figures["checks_strict,none"]["ci95"]
    assert low < 1.0 == high, "all right is not certain"
    assert done.results["status"] == "complete"


def test_a_row_says_which_check_failed_and_how_the_conversation_went(tmp_path: Path) -> None:
    families = ("conversation", "json")
    path = recorded(tmp_path / "mixed.jsonl", lambda d: f"Sure!\n{d['reference']}", families)
    done = scored(path, tmp_path, "instruct_conversation_en,instruct_json_en")
    rows = list(Run.open(done.path).rows("instruct_json_en"))
    assert all(row["checks_strict"] == 0.0 and row["checks_loose"] == 1.0 for row in rows)
    assert rows[0]["checks"][0]["kind"] == "json"
    assert rows[0]["checks"][0]["reason"]
    spoken = list(Run.open(done.path).rows("instruct_conversation_en"))[1]
    assert [turn["content"] for turn in spoken["conversation"]][1] == "OK"
    assert "Assistant: OK\n\nUser: Which number" in spoken["arguments"][1][0], "the second turn as it was asked"


def test_a_broken_check_is_an_error_of_its_row(tmp_path: Path, sandbox: Sandbox) -> None:
    task = Registry().load(["instruct_python_en"]).tasks["instruct_python_en"]
    document = task.build(1)[0]
    (row,) = task.score(document, [[Generated(0, "def is_even(n): return True", "stop", 3)]], verdicts=())
    assert row.metrics == {"checks_strict": None, "checks_loose": None, "checks_share": None}
    assert "error" in row.flags
    assert "code" in row.sample["error"]


# ── conversations that the model takes part in ───────────────────────────────


@pytest.fixture
def corridor(tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[Outcome]]:
    """`evalkit run` with the mock engine, whose answers depend on the prompt alone."""
    monkeypatch.setattr("evalkit.runner.preparing.choose", lambda *asked: mock.SPEC)

    def go(heard: Heard | None = None, **flags: Any) -> list[Outcome]:
        usual = {
            "model": str(tiny_model),
            "tasks": "instruct_conversation_en",
            "output_path": str(tmp_path / "results"),
        }
        return run(RunConfig.build(**{**usual, **flags}), heard or Heard(), report)

    return go


def test_each_answer_of_the_model_stands_in_its_next_prompt(corridor: Callable[..., list[Outcome]]) -> None:
    (done,) = corridor()
    rows = list(Run.open(done.path).rows("instruct_conversation_en"))
    spoken = [row for row in rows if len(row["resps"]) > 1]
    assert len(spoken) >= 4
    for row in spoken:
        (first, _), (second, _) = row["arguments"]
        assert second.startswith(first + " " + row["resps"][0][0].strip())
        assert row["finish"]
        assert len(row["finish"]) == 2
    assert done.results["tasks"]["instruct_conversation_en"]["n"] == len(rows)


def test_later_turns_are_kept_and_asked_only_once(
    corridor: Callable[..., list[Outcome]], monkeypatch: pytest.MonkeyPatch
) -> None:
    from evalkit.engines.mock import MockEngine

    sent: list[int] = []
    answering = MockEngine._generate

    def counted(self: MockEngine, id: int, item: Any, sample: int) -> Any:
        sent.append(id)
        return answering(self, id, item, sample)

    monkeypatch.setattr(MockEngine, "_generate", counted)
    (first,) = corridor()
    asked_first = len(sent)
    assert asked_first == sum(len(row["resps"]) for row in Run.open(first.path).rows("instruct_conversation_en"))
    (again,) = corridor(name="again")
    assert len(sent) == asked_first, "all turns came from the journal"
    assert again.results["tasks"] == first.results["tasks"]


def test_a_run_that_dies_between_two_turns_goes_on_with_the_second(
    corridor: Callable[..., list[Outcome]], monkeypatch: pytest.MonkeyPatch
) -> None:
    from evalkit.engines.mock import MockEngine

    answered: list[int] = []
    answering = MockEngine._generate

    def until_ten(self: MockEngine, id: int, item: Any, sample: int) -> Any:
        answered.append(id)
        if len(answered) == 11:
            raise EngineError("gone")
        return answering(self, id, item, sample)

    monkeypatch.setattr(MockEngine, "_generate", until_ten)
    (dead,) = corridor(name="dead")
    assert (dead.exit_code, dead.results["status"]) == (4, "incomplete")
    (resumed,) = corridor(name="dead")
    assert resumed.exit_code == 0
    rows = list(Run.open(resumed.path).rows("instruct_conversation_en"))
    turns = sum(len(row["resps"]) for row in rows)
    assert len(answered) == turns + 1, "the ten answers that were there are not asked for again"
    (whole,) = corridor(name="whole", fresh=True)
    assert resumed.results["tasks"] == whole.results["tasks"]


def test_samples_each_have_a_conversation_of_their_own(corridor: Callable[..., list[Outcome]]) -> None:
    (done,) = corridor(repeats=3, gen_kwargs="temperature=1.0,do_sample=true")
    row = next(r for r in Run.open(done.path).rows("instruct_conversation_en") if len(r["resps"]) > 1)
    assert [len(samples) for samples in row["resps"]] == [3, 3]
    assert len(set(row["resps"][1])) == 3


def test_a_first_turn_that_fails_ends_the_conversation(corridor: Callable[..., list[Outcome]]) -> None:
    (done,) = corridor(model_args={"fail_ids": [1]})
    row = list(Run.open(done.path).rows("instruct_conversation_en"))[1]
    assert "told to fail" in row["error"]
    assert row["checks_strict"] is None
    assert done.results["tasks"]["instruct_conversation_en"]["errors"] == 1


# ── files of instructions ────────────────────────────────────────────────────

GOOD = {"instruction": "수도는?", "input": "", "output": "서울입니다."}
SPOKEN = {
    "messages": [
        {"role": "system", "content": "짧게"},
        {"role": "user", "content": "안녕?"},
        {"role": "assistant", "content": "네"},
        {"role": "user", "content": [{"type": "text", "text": "이름은?"}]},
        {"role": "assistant", "content": "나노"},
    ]
}


def lines(path: Path, *rows: Any) -> Path:
    texts = [row if isinstance(row, str) else json.dumps(row, ensure_ascii=False) for row in rows]
    path.write_text("\n".join(texts) + "\n", encoding="utf-8")
    return path


def test_both_formats_are_read_in_one_file(tmp_path: Path) -> None:
    rows = read_instructions(lines(tmp_path / "a.jsonl", GOOD, SPOKEN))
    assert rows[0] == {"instruction": "수도는?", "output": "서울입니다."}
    assert [turn["content"] for turn in rows[1]["messages"]] == ["짧게", "안녕?", "네", "이름은?"]
    assert rows[1]["output"] == "나노"


def test_a_list_is_read_like_lines(tmp_path: Path) -> None:
    for indent in (None, 2):
        path = tmp_path / "list.json"
        path.write_text(json.dumps([GOOD, SPOKEN], ensure_ascii=False, indent=indent), encoding="utf-8-sig")
        assert list(read_instructions(path)) == list(read_instructions(lines(tmp_path / "b.jsonl", GOOD, SPOKEN)))


def test_turns_and_rows_are_read_however_tools_write_them(tmp_path: Path) -> None:
    """ShareGPT's list with OpenAI's keys and the other way round, capitals, objects over several lines, commas."""
    said = [("User", "안녕?"), ("Assistant", "네")]
    rows: list[dict[str, Any]] = [
        {"conversations": [{"role": role, "content": text} for role, text in said]},
        {"messages": [{"from": "human", "value": "안녕?"}, {"from": "chatgpt", "value": "네"}]},
    ]
    wanted = {"messages": [{"role": "user", "content": "안녕?"}], "output": "네"}
    assert list(read_instructions(lines(tmp_path / "a.jsonl", *rows))) == [wanted, wanted]
    spread = "\n".join(json.dumps(row, indent=2) for row in (GOOD, *rows))
    assert len(read_instructions(lines(tmp_path / "b.jsonl", spread))) == 3
    assert len(read_instructions(lines(tmp_path / "c.jsonl", json.dumps(GOOD) + ",", json.dumps(GOOD)))) == 2


BROKEN = [
    ('{"instruction": "x', "JSON"),
    ('{"instruction": "x", "output": "y"} and more', "Extra data"),
    ({"instruction": "x"}, "no `output`"),
    ({"instruction": "x", "outputs": "y"}, "outputs"),
    ({"instruction": "", "output": "y"}, "instruction is empty"),
    ({"instruction": "x", "output": 3}, "output is a number"),
    ({"instruction": "x", "output": "y", "input": ["z"]}, "input is a list"),
    ([1, 2], "an object is wanted"),
    ({"messages": []}, "a list of turns"),
    ({"messages": SPOKEN["messages"][:-1]}, "the last message is the user's"),
    ({"messages": [{"role": "tool", "content": "x"}, SPOKEN["messages"][-1]]}, "'tool'"),
    ({"messages": [{"role": "user", "content": [{"type": "image_url"}]}, SPOKEN["messages"][-1]]}, "not text"),
    ('{"instruction": "\\ud83d", "output": "y"}', "surrogate"),
    ("[" * 100_000, "nested too deeply"),
]


@pytest.mark.parametrize(("row", "why"), BROKEN)
def test_a_broken_row_is_named_with_its_line_and_the_rest_goes_on(tmp_path: Path, row: Any, why: str) -> None:
    found = read_instructions(lines(tmp_path / "a.jsonl", GOOD, row, GOOD))
    assert len(found) == 2
    [(number, reason)] = found.broken
    assert number == 2
    assert why in reason


def test_a_broken_row_of_a_list_is_named_with_its_line_and_the_rest_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "list.json"
    path.write_text('[\n {"instruction": "a", "output": "b"},\n {"instruction": "a" "output"},\n'
                    ' {"instruction":\n   "c", "output": "d"},\n 7\n]\n')  # fmt: skip
    found = read_instructions(path)
    assert [row["instruction"] for row in found] == ["a", "c"]
    assert [number for number, _ in found.broken] == [3, 6]
    path.write_text(path.read_text().replace("\n]\n", ""))
    assert read_instructions(path).broken[-1][1].startswith("the list does not end")


def test_a_file_without_a_usable_row_says_what_is_wrong(tmp_path: Path) -> None:
    (tmp_path / "cp949.jsonl").write_bytes(json.dumps(GOOD, ensure_ascii=False).encode("cp949"))
    with pytest.raises(ConfigError, match="iconv -f cp949"):
        read_instructions(tmp_path / "cp949.jsonl")
    (tmp_path / "empty.jsonl").write_text("\n")
    with pytest.raises(ConfigError, match="holds no row"):
        read_instructions(tmp_path / "empty.jsonl")
    (tmp_path / "packed.jsonl").write_bytes(gzip.compress(json.dumps(GOOD).encode()))
    with pytest.raises(ConfigError, match="packed by gzip"):
        read_instructions(tmp_path / "packed.jsonl")
    (tmp_path / "wide.jsonl").write_bytes(json.dumps(GOOD).encode("utf-16"))
    with pytest.raises(ConfigError, match="in UTF-16"):
        read_instructions(tmp_path / "wide.jsonl")
    (tmp_path / "inside.json").write_text(json.dumps({"data": [GOOD]}, indent=1))
    with pytest.raises(ConfigError, match=r"jq \.data"):
        read_instructions(tmp_path / "inside.json")
    (tmp_path / "table.csv").write_text("instruction,output\na,b\n")
    with pytest.raises(ConfigError, match=r"\.csv is not read"):
        read_instructions(tmp_path / "table.csv")


_TEXT = st.text(st.characters(exclude_categories=["Cs"]), min_size=1).filter(str.strip)
_ROWS = st.lists(
    st.fixed_dictionaries({"instruction": _TEXT, "output": _TEXT}, optional={"input": st.text()}), min_size=1
)


@given(rows=_ROWS, ascii=st.booleans(), indent=st.sampled_from([None, 1, 4]), listed=st.booleans())
def test_whatever_json_writes_is_read_back(
    tmp_path_factory: pytest.TempPathFactory, rows: list[dict[str, str]], ascii: bool, indent: int | None, listed: bool
) -> None:
    path = tmp_path_factory.mktemp("rows") / "rows.json"
    try:
        if listed:
            path.write_text(json.dumps(rows, ensure_ascii=ascii, indent=indent), encoding="utf-8", newline="")
        else:
            path.write_bytes(b"\r\n".join(json.dumps(row, ensure_ascii=ascii).encode() for row in rows))
    except UnicodeEncodeError:
        return
    found = read_instructions(path)
    wanted = [{k: v for k, v in row.items() if k != "input" or v.strip()} for row in rows]
    assert list(found) == wanted
    assert not found.broken


@given(content=st.one_of(st.binary(max_size=300), st.text(max_size=300).map(lambda t: t.encode("utf-8", "replace"))))
def test_no_file_does_more_than_refuse(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    path = tmp_path_factory.mktemp("any") / "any.json"
    path.write_bytes(content)
    try:
        found = read_instructions(path)
    except ConfigError as error:
        found, said = None, str(error)
    assert (len(found) > 0) if found is not None else ("\n" not in said)


@given(
    before=st.integers(0, 4),
    junk=st.text(st.characters(exclude_characters="\n\r", exclude_categories=["Cs"]), min_size=1),
)
def test_good_rows_around_junk_survive_it(tmp_path_factory: pytest.TempPathFactory, before: int, junk: str) -> None:
    path = lines(tmp_path_factory.mktemp("junk") / "junk.jsonl", *[GOOD] * before, "?" + junk, GOOD)
    found = read_instructions(path)
    assert len(found) == before + 1
    assert [number for number, _ in found.broken] == [before + 1]


# ── figures against a reference ──────────────────────────────────────────────


def compare(answer: str, reference: str) -> dict[str, float | None]:
    return compare_with_reference({"output": reference}, [answer])


def test_equal_texts_are_equal_in_every_script_and_composition() -> None:
    for text in ("서울입니다.", "Seoul, 1.5 km", "東京です", "서울", "한글과 English 12"):
        found = compare(f" {text}\n", text)
        assert found == {**dict.fromkeys(found, 1.0)}, text
    assert compare("서울", "서울")["exact_match"] == 1.0, "decomposed Hangul"


def test_particles_do_not_hide_what_two_korean_texts_share() -> None:
    near, far = compare("학교에 갔다", "학교를 갔다"), compare("바다를 보았다", "학교를 갔다")
    for metric in ("chrf", "rouge_l", "token_f1"):
        assert 1.0 > near[metric] > far[metric] > 0.0, metric  # type: ignore[operator]
    assert compare("Seoul", "서울")["same_script"] == 0.0
    assert compare("가나다라", "가나")["length_ratio"] == 2.0


@given(st.lists(st.sampled_from("가나다ab"), max_size=30), st.lists(st.sampled_from("가나다ab"), max_size=30))
def test_the_longest_common_subsequence_is_that_of_the_table(a: list[str], b: list[str]) -> None:
    table = [[0] * (len(b) + 1) for _ in range(len(a) + 1)]
    for i, x in enumerate(a):
        for j, y in enumerate(b):
            table[i + 1][j + 1] = table[i][j] + 1 if x == y else max(table[i][j + 1], table[i + 1][j])
    assert lcs(a, b) == table[-1][-1]


@given(st.text(max_size=60), st.text(min_size=1, max_size=60))
def test_no_text_breaks_a_figure(answer: str, reference: str) -> None:
    found = compare(answer, reference)
    for metric in ("chrf", "rouge_l", "token_f1", "exact_match"):
        assert 0.0 <= float(found[metric] or 0.0) <= 1.0
    assert tokens(reference) == tokens(reference.upper()) or reference.upper().lower() != reference.lower()


# ── alpaca:FILE end to end ───────────────────────────────────────────────────


def thousand(path: Path) -> Path:
    rows: list[Any] = [
        {
            "instruction": f"{n}번 질문입니다. 설명해 주세요.",
            "input": "" if n % 2 else "참고",
            "output": f"{n}번 답입니다.",
        }
        for n in range(1000)
    ]
    rows[16] = '{"instruction": "broken'
    rows[500] = {"instruction": "x", "outputs": "y"}
    return lines(path, *rows)


def test_a_thousand_rows_run_and_the_broken_ones_are_counted(
    corridor: Callable[..., list[Outcome]], tmp_path: Path
) -> None:
    heard, path = Heard(), thousand(tmp_path / "ko,alpaca.jsonl")
    (done,) = corridor(heard, tasks=f"alpaca:{path}")
    entry = done.results["tasks"][f"alpaca:{path}"]
    ways = {metric: figure["higher_is_better"] for metric, figure in entry["metrics"].items()}
    assert ways.pop("length_ratio,none") is None
    assert set(ways.values()) == {True}
    [line] = [line for line in report(done.results, done.path).splitlines() if "|length_ratio" in line]
    assert "↑" not in line
    assert "↓" not in line
    assert (done.exit_code, done.results["status"]) == (0, "complete")
    assert (entry["n"], entry["broken_rows"], entry["errors"]) == (998, 2, 0)
    assert all(figure["value"] is not None for figure in entry["metrics"].values())
    assert entry["headline"] == "chrf,none"
    assert any(f"{path}:17: not JSON" in note for note in heard.notes)
    assert any(f"{path}:501: no `output`" in note for note in heard.notes)
    assert "2 rows of its file" in (done.path / "report.md").read_text()
    again = json.loads((done.path / "manifest.json").read_text())["tasks"][f"alpaca:{path}"]
    assert [number for number, _ in again["broken_rows"]] == [17, 501]
    assert again["data_hash"]


def test_messages_with_roles_and_several_turns_run(
    corridor: Callable[..., list[Outcome]], tmp_path: Path, tiny_chat_model: Path
) -> None:
    path = lines(tmp_path / "chat.jsonl", SPOKEN, SPOKEN)
    (plain,) = corridor(tasks=f"messages:{path}")
    row = next(iter(Run.open(plain.path).rows(f"messages:{path}")))
    assert row["arguments"][0][0] == (
        "짧게\n\n### Instruction:\n안녕?\n\n### Response:\n네\n\n### Instruction:\n이름은?\n\n### Response:\n"
    )
    (chat,) = corridor(tasks=f"messages:{path}", model=str(tiny_chat_model), apply_chat_template="true")
    row = next(iter(Run.open(chat.path).rows(f"messages:{path}")))
    assert row["arguments"][0][0].startswith("<|system|>\n짧게</s>\n<|user|>\n안녕?</s>\n<|assistant|>\n네</s>")


def test_changed_data_is_another_setting(corridor: Callable[..., list[Outcome]], tmp_path: Path) -> None:
    path = lines(tmp_path / "a.jsonl", GOOD)
    corridor(tasks=f"alpaca:{path}", name="once")
    heard = Heard()
    corridor(heard, tasks=f"alpaca:{path}", name="once")
    assert any("nothing to do" in note for note in heard.notes)
    lines(path, {**GOOD, "output": "부산입니다."})
    with pytest.raises(UsageError, match="other settings"):
        corridor(tasks=f"alpaca:{path}", name="once")


def test_patterns_and_commas_in_paths(tmp_path: Path) -> None:
    one, two = lines(tmp_path / "a,b.jsonl", GOOD), lines(tmp_path / "c.jsonl", GOOD)
    assert split_tasks(f"mini,alpaca:{one},alpaca:{two},gsm8k") == ("mini", f"alpaca:{one}", f"alpaca:{two}", "gsm8k")
    suite = Registry().load([f"alpaca:{tmp_path}/*.jsonl"])
    assert suite.requested == (f"alpaca:{one}", f"alpaca:{two}")


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("alpaca:{0}/koalpca.jsonl", "did you mean koalpaca.jsonl"),
        ("alpaca:{0}", "a file is wanted"),
        ("alpaca:{0}/*.csv", "no file matches"),
        ("alpaca:", "a file is wanted"),
        ("{0}/koalpaca.jsonl", "type alpaca:"),
        ("alpca:{0}/koalpaca.jsonl", "type alpaca:"),
    ],
)
def test_a_missing_file_is_exit_2_with_what_to_type(tmp_path: Path, typed: str, said: str) -> None:
    lines(tmp_path / "koalpaca.jsonl", GOOD)
    done = evalkit("run", "--model", "nano", "--tasks", typed.format(tmp_path), code=2)
    assert said in done.stderr


# ── your own task with checks ────────────────────────────────────────────────

TASK = """
task: my_probe
dataset_path: json
dataset_kwargs: {data_files: {test: my.jsonl}}
test_split: test
output_type: generate_until
conversation: messages
checks: CHECKS
doc_to_text: instruction
doc_to_target: reference
"""


def test_a_task_file_of_ones_own_may_name_checks(tmp_path: Path) -> None:
    one = {"instruction": "Say A or B.", "reference": "A", "checks": [{"kind": "choice", "options": ["A", "B"]}]}
    two = {"instruction": "In Korean.", "reference": "네", "checks": [{"kind": "language", "language": "ko"}]}
    lines(tmp_path / "my.jsonl", one, two)
    (tmp_path / "my.yaml").write_text(TASK.replace("CHECKS", "checks"))
    task = Registry((tmp_path,)).load(["my_probe"]).tasks["my_probe"]
    documents = task.build()
    rows = [task.score(d, [[Generated(0, text, "stop", 1)]])[0] for d, text in zip(documents, ("A", "A"), strict=True)]
    assert [row.metrics["checks_strict"] for row in rows] == [1.0, 0.0]
    lines(tmp_path / "my.jsonl", one)
    shared = "[{kind: choice, options: [A, B], equals: {$field: reference}}]"
    (tmp_path / "my.yaml").write_text(TASK.replace("CHECKS", shared))
    task = Registry((tmp_path,)).load(["my_probe"]).tasks["my_probe"]
    (row,) = task.score(task.build()[0], [[Generated(0, "B", "stop", 1)]])
    assert row.metrics["checks_strict"] == 0.0


@pytest.mark.parametrize(
    ("checks", "said"),
    [("[{kind: choise}]", "did you mean choice"), ("nowhere", "a list of checks is wanted"), ("3", "a list")],
)
def test_a_broken_check_in_a_task_file_is_one_line(tmp_path: Path, checks: str, said: str) -> None:
    lines(tmp_path / "my.jsonl", {"instruction": "Say A.", "reference": "A"})
    (tmp_path / "my.yaml").write_text(TASK.replace("CHECKS", checks))
    with pytest.raises(ConfigError, match=said):
        Registry((tmp_path,)).load(["my_probe"])


# ── models side by side, and a judge beside the checks ───────────────────────


@pytest.fixture(scope="module")
def judge(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny chat model whose every word is a digit."""
    from tests.helpers.checkpoints import make_checkpoint

    folder = make_checkpoint(tmp_path_factory.mktemp("judge") / "tiny", chat_template=True)
    speak_in_digits(folder)
    return folder


@pytest.fixture(scope="module")
def judged(judge: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """nano and the judge itself on a part of the probe, judged by the local engine."""
    root = tmp_path_factory.mktemp("judged")
    tasks = "instruct_ko"
    done = evalkit(
        *("run", "--model", f"nano,{judge}", "--tasks", tasks, "--limit", "2", "--gen-kwargs", "max_gen_toks=24"),
        *("--judge", f"hf:{judge}", "--rubric", "instruction-following", "--judge-args", "dtype=float32"),
        *("--output-path", str(root), "--json", str(root / "out.json"), "--name", "x", "-q"),
    )
    return root, done.stdout


def test_several_models_stand_side_by_side(judged: tuple[Path, str]) -> None:
    _, shown = judged
    table = shown[shown.index("## Side by side") :]
    assert "| nano |" in table.splitlines()[2]
    assert any(line.startswith("| instruct_ko | checks_strict") for line in table.splitlines())
    assert any("overall (instruction-following@" in line for line in table.splitlines())
    assert any(line.startswith("| instruct_ko | checks_share") for line in table.splitlines())
    assert not any("- instruct_sql_ko | checks_share" in line for line in table.splitlines())
    assert "instruct_sql_ko" in table


def test_a_failed_check_caps_the_judges_score_and_both_are_kept(judged: tuple[Path, str]) -> None:
    root, _ = judged
    for results in json.loads((root / "out.json").read_text()):
        for entry in [results["groups"]["instruct_ko"], *results["tasks"].values()]:
            figure = of_judge(entry["metrics"], "overall,instruction-following")
            assert figure["value"] is not None
            assert "checks_strict,none" in entry["metrics"]
            if entry["metrics"]["checks_strict,none"]["value"] == 0.0:
                assert figure["value"] <= 3.0 < figure["uncapped"]["value"], "4 is what this judge likes to say"
                assert figure["capped"] == figure["n"] == entry["n"]
    run = next(iter(Run.open(path) for path in root.glob("nano/*/")))
    [file] = (run.path / "judgments").glob("*.jsonl")
    rows = [json.loads(line) for line in file.read_text().splitlines()]
    assert all(row["capped"] == min(row["score"], 3.0) for row in rows if "capped" in row)
    assert any(row["score"] > 3.0 for row in rows)
    scores = run.scores().to_pylist()
    overall = [line for line in scores if line["metric"] == "overall"]
    lines = [line for line in overall if line["filter"].startswith("instruction-following@")]
    assert lines
    assert all(line["value"] <= 3.0 for line in lines)
    assert "overall" in (run.path / "report.md").read_text()


def test_gate_and_leaderboard_show_both_figures(judged: tuple[Path, str], judge: Path) -> None:
    root, _ = judged
    overall = f"overall,instruction-following@hf:{judge}"
    evalkit("leaderboard", "--output-path", str(root), "--include", "limited", "--json", str(root / "board.json"))
    board = json.loads((root / "board.json").read_text())
    assert {"instruct_ko", f"instruct_ko {overall}"} <= set(board["benchmarks"])
    run = next(iter(root.glob("nano/*/")))
    policy = root / "gate.yaml"
    policy.write_text(
        "tasks:\n  instruct_ko: {max_drop: 0.9}\n"
        "  judged: {task: instruct_ko, metric: 'overall,instruction-following', max_drop: 3.9, tier: supporting}\n"
    )
    for extra in ((), ("--policy", str(policy))):
        done = evalkit(
            *("gate", str(run), str(run), "--output-path", str(root), "--json", str(root / "gate.json"), *extra),
            code=0 if extra else 3,
        )
        verdicts = json.loads((root / "gate.json").read_text())["tasks"]
        metrics = {name: task["metric"] for name, task in verdicts.items()}
        assert metrics["instruct_ko"] == "checks_strict,none", done.stdout
        assert overall in metrics.values()


def test_judging_one_task_again_takes_its_groups_figure_away_and_leaves_the_others(
    judged: tuple[Path, str], judge: Path, tmp_path: Path
) -> None:
    import shutil

    root = tmp_path / "copy"
    shutil.copytree(judged[0], root)
    path = next(iter(root.glob("nano/*/")))
    evalkit(
        *("judge", "run", str(path), "--tasks", "instruct_sql_ko", "--rubric", "instruction-following", "-q"),
        *("--judge", f"hf:{judge}", "--judge-args", "dtype=float32", "--output-path", str(root)),
    )
    again, metric = Run.open(path), "overall,instruction-following"
    assert not any(name.startswith(metric) for name in again.groups["instruct_ko"]["metrics"])
    assert all(of_judge(entry["metrics"], metric) for entry in again.tasks.values())
    kept = {line["task"] for line in again.scores().to_pylist() if line["filter"].startswith("instruction-following@")}
    assert kept == set(again.tasks)


def test_a_group_without_a_figure_of_its_own_stays_a_list(judge: Path, tmp_path: Path) -> None:
    root = tmp_path / "results"
    evalkit(
        *("run", "--model", "nano", "--tasks", "mini", "--limit", "2", "--output-path", str(root), "--name", "m", "-q"),
        *("--judge", f"hf:{judge}", "--judge-args", "dtype=float32", "--rubric", "instruction-following"),
    )
    run = Run.open(root / "nano" / "m")
    assert not run.groups["mini"]["metrics"]
    assert f"overall,instruction-following@hf:{judge}" in run.tasks["mini_arithmetic"]["metrics"]


# ── win rate against another model's answers ─────────────────────────────────

DUEL = """
id: duel
version: 1
kind: pairwise
language: {instructions: en, answer: any}
inputs: {instruction: required, answer: required, reference: optional}
form: score
min_coverage: 0.9
dimensions:
  preference:
    criteria: Which answer is better.
    steps: [Read both., Choose.]
    scale: {labels: {"1": 1, "2": 0, "3": 0.5, "4": 0.75, "5": 0.25}}
"""
"""The shipped comparison, with labels that the tests' judge can say."""


def alpaca_eval(path: Path, generator: str, answer: Callable[[int], str], order: Sequence[int] = range(6)) -> Path:
    rows = [{"instruction": f"Say the number {n}.", "output": answer(n), "generator": generator} for n in order]
    path.write_text(json.dumps(rows))
    return path


def test_a_win_rate_against_alpacaevals_own_file(judge: Path, tmp_path: Path) -> None:
    task = alpaca_eval(tmp_path / "eval.json", "gpt4", lambda n: f"The number is {n}.")
    root, rubric = tmp_path / "results", tmp_path / "duel.yaml"
    rubric.write_text(DUEL)
    evalkit(
        *("run", "--model", "nano", "--tasks", f"alpaca:{task}", "--output-path", str(root), "--name", "r", "-q"),
        *("--gen-kwargs", "max_gen_toks=12", "--judge", f"hf:{judge}", "--judge-args", "dtype=float32"),
        *("--rubric", str(rubric), "--json", str(tmp_path / "out.json")),
    )
    metrics = json.loads((tmp_path / "out.json").read_text())["tasks"][f"alpaca:{task}"]["metrics"]
    figure = of_judge(metrics, "preference,duel")
    assert figure["against"] == "gpt4"
    assert figure["n"] == 6
    assert 0.0 <= figure["win_rate"] == figure["value"] <= 1.0
    assert figure["stderr"] is not None
    assert figure["wins"] + figure["losses"] + figure["draws"] == 6
    assert figure["length"]["n"] == 6
    assert figure["shown_first"] is not None

    other = alpaca_eval(tmp_path / "other.json", "claude", lambda n: str(n), order=[5, 3, 1, 0, 2])
    run = next(iter(root.glob("nano/r")))
    evalkit(
        *("judge", "run", str(run), "--rubric", str(rubric), "--reference", str(other), "--judge", f"hf:{judge}"),
        *("--judge-args", "dtype=float32", "--output-path", str(root), "--json", str(tmp_path / "again.json"), "-q"),
        code=4,  # one of six instructions is not in that file: below the rubric's coverage
    )
    metrics = json.loads((tmp_path / "again.json").read_text())["tasks"][f"alpaca:{task}"]["metrics"]
    figure = of_judge(metrics, "preference,duel")
    assert figure["against"] == "claude"
    assert figure["n"] == 5
    assert figure["missing"] == {"other.json has no answer to this instruction": 1}
    assert figure["value"] is None
    assert "coverage" in figure["reason"]


def test_a_reference_over_other_instructions_is_refused(tmp_path: Path, judge: Path) -> None:
    task = alpaca_eval(tmp_path / "eval.json", "gpt4", str)
    root = tmp_path / "results"
    evalkit(
        *("run", "--model", "nano", "--tasks", f"alpaca:{task}", "--output-path", str(root), "--name", "r", "-q"),
        *("--gen-kwargs", "max_gen_toks=4"),
    )
    common = ("judge", "run", str(root / "nano" / "r"), "--judge", f"hf:{judge}", "--output-path", str(root), "-q")
    stranger = lines(tmp_path / "other.jsonl", GOOD)
    done = evalkit(*common, "--rubric", "pairwise", "--reference", str(stranger), code=2)
    assert "answers none of the 6 instructions" in done.stderr
    done = evalkit(*common, "--rubric", "instruction-following", "--reference", str(task), code=2)
    assert "rates single answers" in done.stderr


# ── with a real engine ───────────────────────────────────────────────────────


def test_the_probe_runs_on_nano_and_turns_go_through_the_real_engine(tmp_path: Path) -> None:
    evalkit(
        *("run", "--model", "nano", "--tasks", "instruct_conversation_ko,instruct_python_en", "-q"),
        *("--gen-kwargs", "max_gen_toks=16", "--output-path", str(tmp_path), "--name", "n"),
    )
    run = Run.open(tmp_path / "nano" / "n")
    rows = list(run.rows("instruct_conversation_ko"))
    later = [row for row in rows if len(row["resps"]) > 1]
    assert later
    assert all(row["resps"][0][0].strip() in row["arguments"][1][0] for row in later)
    assert run.results["status"] == "complete"
    assert run.tasks["instruct_python_en"]["metrics"]["checks_strict,none"]["value"] is not None


def test_prompts_fit_a_window_of_1024_tokens(suite: Any) -> None:
    from evalkit.tokens import Tokenizer
    from evalkit.types import ModelSpec

    folder = Path(__file__).resolve().parents[2] / "evalkit" / "_models" / "nano"
    tokenizer = Tokenizer.load(ModelSpec("nano", str(folder)))
    for task in suite.tasks.values():
        requests = [request for document in task.build() for request in document.requests if request.follows is None]
        for encoded in tokenizer.encode(requests):
            for request in encoded.requests:
                assert isinstance(request, GenerateRequest)
                assert request.cut_tokens == 0
                assert len(request.prompt) + request.sampling.max_tokens <= 1024


def test_a_chat_server_gets_turns_with_its_own_answers_in_them(tmp_path: Path) -> None:
    from tests.helpers.loopback import Loopback

    with Loopback(says="I see.") as server:
        evalkit(
            *("run", "--engine", "openai", "--model", "m", "--model-args", f"base_url={server.url}", "-q"),
            *(
                "--tasks",
                "instruct_conversation_en",
                "--apply-chat-template",
                "--output-path",
                str(tmp_path),
                "--name",
                "n",
            ),
        )
    rows = list(Run.open(tmp_path / "m" / "n").rows("instruct_conversation_en"))
    later = [row for row in rows if len(row["resps"]) > 1]
    assert later
    for row in later:
        turns = json.loads(row["arguments"][1][0])
        assert {"role": "assistant", "content": "I see."} in turns
        assert turns[-1]["role"] == "user"
