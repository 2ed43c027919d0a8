"""How a careful person would read an answer: past the fence, the preamble, the farewell and the Markdown stars."""

from __future__ import annotations

from collections.abc import Iterator

from evalkit.checks.fences import blocks
from evalkit.checks.outcome import Params

__all__ = ["as_it_is", "without_lines", "without_trimmings"]


def as_it_is(answer: str, params: Params) -> Iterator[str]:
    """No leniency: for what must not be excused, such as a secret told in the first line."""
    yield from ()


def without_lines(answer: str) -> Iterator[str]:
    """Without the first line, the last, both; each also without Markdown's stars. IFEval's eight, in its order."""
    lines = answer.split("\n")
    cut = [
        "\n".join(lines[1:]).strip(),
        "\n".join(lines[:-1]).strip(),
        "\n".join(lines[1:-1]).strip(),
    ]
    yield answer
    yield answer.replace("*", "")
    yield from cut
    yield from (text.replace("*", "") for text in cut)


def without_trimmings(answer: str, params: Params) -> Iterator[str]:
    """IFEval's eight; then the same of the stripped answer, and what stands in its fences."""
    yield from without_lines(answer)
    stripped = answer.strip()
    yield stripped
    yield from without_lines(stripped)
    for block in blocks(answer):
        yield block.text
        yield block.text.strip()
