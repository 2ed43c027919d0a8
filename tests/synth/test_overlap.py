"""Rows that stand in another file: shared runs of words, against a plain reference, and on real data."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evalkit.errors import UsageError
from evalkit.synth.overlap import Match, find_overlap, read_texts, row_text


def reference(texts: list[str], others: list[str], gram: int) -> set[tuple[int, int, int]]:
    """Every pair of words looked at, one after the other."""
    found = set()
    for row, text in enumerate(texts):
        a = re.findall(r"\w+", text.lower())
        for other, there in enumerate(others):
            b = re.findall(r"\w+", there.lower())
            best = max(
                (sum(1 for _ in iter_run(a[i:], b[j:])) for i in range(len(a)) for j in range(len(b))),
                default=0,
            )
            if best >= gram or (a and a == b):
                found.add((row, other, len(a) if a == b else best))
    return found


def iter_run(a: list[str], b: list[str]) -> Any:
    for x, y in zip(a, b, strict=False):
        if x != y:
            return
        yield x


SENTENCES = st.lists(st.lists(st.sampled_from("ab"), max_size=9).map(" ".join), max_size=5)


@settings(max_examples=200, deadline=None)
@given(SENTENCES, SENTENCES, st.integers(2, 4))
def test_matches_are_those_of_a_plain_reference(texts: list[str], others: list[str], gram: int) -> None:
    found = find_overlap(texts, others, gram)
    assert {(match.row, match.other, match.words) for match in found.matches} == reference(texts, others, gram)
    assert found.rows == len(texts)


def test_what_matches_and_what_does_not() -> None:
    eight = "one two three four five six seven eight"
    texts = [
        f"Before, {eight.upper()}! After.",
        "one two three four five six seven",
        "Short text.",
        "",
        "닭과 달걀 중에 무엇이 먼저 나왔는지 한 문장으로 설명하세요",
    ]
    others = [
        eight,
        "one two three four five six seven nine",
        "short  TEXT",
        "",
        "short",
        "닭과 달걀 중에 무엇이 먼저 나왔는지 한 문장으로 설명하세요.",
    ]
    found = find_overlap(texts, others)
    assert found.matches == (Match(0, 0, 8), Match(2, 2, 2), Match(4, 5, 9))
    assert found.matched == 3


def test_the_longest_run_counts_where_there_are_several() -> None:
    a = "a b c d e f g h X i j k l m n o p q r"
    b = "i j k l m n o p q Y a b c d e f g h"
    assert find_overlap([a], [b]).matches == (Match(0, 0, 9),)


def test_alpaca_eval_holds_all_of_self_instructs_user_set_and_nothing_else(hub: Path) -> None:
    """252 of the 805 instructions are from there. Counted with runs of 8 words and of 13."""
    import pandas as pd

    def frame(name: str) -> Any:
        return pd.concat(map(pd.read_parquet, sorted((hub / name).rglob("*.parquet"))))

    alpaca, own = frame("tatsu-lab/alpaca_eval"), frame("yizhongw/self_instruct")
    inputs = [instances["input"][0] for instances in own["instances"]]
    others = [
        f"{asked}\n\n{given}" if given else asked for asked, given in zip(own["instruction"], inputs, strict=True)
    ]
    texts = list(alpaca["instruction"])
    truly = {row for row, source in enumerate(alpaca["dataset"]) if source == "selfinstruct"}
    assert len(truly) == 252
    for gram in (8, 13):
        found = find_overlap(texts, others, gram)
        assert {match.row for match in found.matches} == truly
        assert {match.other for match in found.matches} == set(range(252))


@pytest.mark.parametrize(
    ("row", "text"),
    [
        ({"text": "a", "instruction": "b"}, "a"),
        ({"instruction": "b", "input": "c"}, "b\n\nc"),
        ({"instruction": "b", "input": ""}, "b"),
        ({"question": "q"}, "q"),
        ({"output": "x"}, None),
    ],
)
def test_the_text_of_a_row(row: dict[str, Any], text: str | None) -> None:
    assert row_text(row) == text


def test_a_row_without_text_is_named_by_line(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    for line, words in (('{"output": 1}', "rows.jsonl:2: has output"), ("[1]", "has list"), ("{", "not JSON")):
        path.write_text(json.dumps({"text": "a"}) + "\n" + line)
        with pytest.raises(UsageError) as caught:
            list(read_texts(path))
        assert words in str(caught.value)
    with pytest.raises(UsageError, match="cannot be read"):
        list(read_texts(tmp_path / "none.jsonl"))
