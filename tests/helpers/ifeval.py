"""IFEval's prompts, worked cases, and responses made of pieces."""

from __future__ import annotations

import random
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

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
PROSE = [
    "Dr. Smith arrived at 5 p.m. Bring your coat. He said it was cold in the U.S. The end.",
    'She asked, "Are you sure?" Nobody answered... Then he left. (It was late.) Good night!!!',
    "1. First do this. 2. then that. See e.g. the notes, i.e. page 3.5 of vol. 2. J. Smith wrote it.",
    "오늘은 날씨가 좋습니다. 내일은 비가 올까요? 정말 그렇군요! 끝.",
    "Well… I think so. Mr. Kim and Mrs. Lee, Inc. agreed. Etc. etc. And so on.",
    "WE DON'T KNOW. I'M SURE YOU CAN'T, AND THEY'LL CANNOT. GONNA GO? AT&T SAID 'NO' TO THE U.S.A.",
]


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
