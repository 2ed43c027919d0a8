"""Files of instructions: which rows are read, and what is said of the others."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evalkit.errors import ConfigError
from evalkit.registry.instructions import read_instructions
from tests.helpers.instruct import GOOD, SPOKEN, lines

settings.register_profile("patient", deadline=None)
settings.load_profile("patient")


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
