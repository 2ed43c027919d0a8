"""The probe of instruction following and rows of instructions, for the tests of the registry."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from evalkit.checks import check, needs_sandbox, programs
from evalkit.registry.cards import shipped_folder
from evalkit.reporting.progress import Progress
from evalkit.sandbox import Sandbox

FAMILIES = ["sql", "summary", "to_korean", "from_korean", "email", "python", "json", "format", "system", "conversation"]


class Heard(Progress):
    """Keeps what the runner said."""

    def __init__(self) -> None:
        super().__init__()
        self.notes: list[str] = []

    def note(self, text: str) -> None:
        self.notes.append(text)


def documents() -> list[dict[str, Any]]:
    files = sorted((shipped_folder() / "instruct").glob("*/*.jsonl"))
    return [json.loads(line) for file in files for line in file.read_text(encoding="utf-8").splitlines()]


DOCUMENTS = documents()


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
