"""Files of rows that cannot be used: each is an error of one line, with the line."""

from __future__ import annotations

from pathlib import Path

import pytest

from evalkit.errors import UsageError
from evalkit.synth.seeds import read_seed_tasks

GOOD = '{"instruction": "Say hello.", "output": "hello \\ud83d\\ude00"}\n'


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ('{"instruction": "\\ud800", "output": "y"}', "half of a surrogate pair"),
        ('{"instruction": "x", "instances": [{"input": "\\uDFFF", "output": "y"}]}', "half of a surrogate pair"),
        ('{"instruction": "x", "output": "y", "n": %s}' % ("9" * 5000), "not JSON"),
        ("[" * 100_000, "not JSON"),
        ("[]", "an object is wanted"),
    ],
)
def test_a_seed_that_is_no_text_is_named_by_its_line(tmp_path: Path, row: str, said: str) -> None:
    path = tmp_path / "seeds.jsonl"
    path.write_text(GOOD + row + "\n")
    with pytest.raises(UsageError, match=rf"seeds\.jsonl:2: .*{said}") as raised:
        read_seed_tasks(path, 1)
    assert "\n" not in str(raised.value)


def test_a_whole_pair_is_a_character(tmp_path: Path) -> None:
    (tmp_path / "seeds.jsonl").write_text(GOOD)
    [seed] = read_seed_tasks(tmp_path / "seeds.jsonl", 1)
    assert seed.instances[0].output == "hello 😀"
