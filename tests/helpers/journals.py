"""Journals for tests: questions, answers, and processes that write them."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from array import array
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from evalkit.journal import Journal, Keyer
from evalkit.journal.records import Record
from evalkit.models.fingerprint import model_fingerprint
from evalkit.types import Generated, GenerateRequest, Sampling

GREEDY = Sampling(max_tokens=16)
KEYER = Keyer(model_fingerprint("weights", dtype="float32"), "test/1")
PAGE = 4096


def ask(number: int, sampling: Sampling = GREEDY, **more: Any) -> GenerateRequest:
    return GenerateRequest(number, array("i", [number, 7]), sampling, **more)


def answer(number: int, length: int = 700) -> Generated:
    text = f"{number}: " + "답 " * (length // 4)
    return Generated(number, text, "stop", number)


def fill(root: Path, numbers: Iterable[int], **options: Any) -> None:
    with Journal.open(root, **options) as journal:
        for number in numbers:
            journal.put(KEYER.key(ask(number)), answer(number))


def known(root: Path, numbers: Iterable[int], **options: Any) -> tuple[dict[int, Record], list[str]]:
    with Journal.open(root, **options) as journal:
        found = {item.id: item for item in journal.get_many((n, KEYER.key(ask(n))) for n in numbers)}
        return found, list(journal.notices)


PRELUDE = """
import os, signal, sys, time
from pathlib import Path
from evalkit.errors import OutputError
from evalkit.journal import Journal
from tests.helpers.journals import KEYER, answer, ask
"""


def python(program: str, *arguments: object) -> subprocess.Popen[str]:
    """A Python of its own that runs the program."""
    code = PRELUDE + textwrap.dedent(program)
    return subprocess.Popen(
        [sys.executable, "-c", code, *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[2],
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
    )
