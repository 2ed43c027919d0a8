"""Documents whose outcome changed, both answers side by side."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from evalkit.compare.lines import Lines
from evalkit.compare.pairing import Pairs
from evalkit.compare.targets import Target
from evalkit.results import Run

__all__ = ["Flip", "find_flips"]


@dataclass(frozen=True, slots=True)
class Flip:
    task: str
    doc_id: int
    """The baseline's."""
    question: str
    target: str
    baseline: str
    candidate: str
    baseline_value: float
    candidate_value: float
    lost: bool


def find_flips(
    baseline: Run, candidate: Run, target: Target, pairs: Pairs, lines: tuple[Lines, Lines], most: int
) -> tuple[Flip, ...]:
    """Up to `most` documents, those lost first, each in document order. Rows that were not kept leave answers empty."""
    known = np.isfinite(pairs.baseline) & np.isfinite(pairs.candidate)
    change = np.where(known, target.sign * (pairs.candidate - pairs.baseline), 0.0)
    chosen = [*np.flatnonzero(change < 0), *np.flatnonzero(change > 0)][:most]
    filter_name = target.metric.rpartition(",")[2]
    wanted = ([], [])  # type: tuple[list[tuple[str, int]], list[tuple[str, int]]]
    for k in chosen:
        for side, index in enumerate((pairs.baseline_line[k], pairs.candidate_line[k])):
            wanted[side].append((lines[side].task[index], lines[side].doc_id[index]))
    here = _rows(baseline, wanted[0], filter_name)
    there = _rows(candidate, wanted[1], filter_name)
    flips = []
    for k, one, other in zip(chosen, *wanted, strict=True):
        row, twin = here.get(one, {}), there.get(other, {})
        flips.append(
            Flip(
                task=one[0],
                doc_id=one[1],
                question=_question(row or twin),
                target=_target(row or twin),
                baseline=_answer(row),
                candidate=_answer(twin),
                baseline_value=float(pairs.baseline[k]),
                candidate_value=float(pairs.candidate[k]),
                lost=bool(change[k] < 0),
            )
        )
    return tuple(flips)


def _rows(run: Run, wanted: Sequence[tuple[str, int]], filter_name: str) -> dict[tuple[str, int], Mapping[str, Any]]:
    found: dict[tuple[str, int], Mapping[str, Any]] = {}
    for task in dict.fromkeys(task for task, _ in wanted):
        left = {doc_id for name, doc_id in wanted if name == task}
        if not run.has_rows(task):
            continue
        for row in run.rows(task):
            if row.get("doc_id") in left and row.get("filter", filter_name) == filter_name:
                found[task, row["doc_id"]] = row
                left.discard(row["doc_id"])
                if not left:
                    break
    return found


def _question(row: Mapping[str, Any]) -> str:
    """The document's own words where it has some, else the end of the prompt."""
    doc = row.get("doc")
    if isinstance(doc, Mapping):
        for key in ("question", "input", "query", "ctx", "prompt", "goal", "problem", "sentence", "text"):
            if isinstance(doc.get(key), str) and doc[key].strip():
                return str(doc[key]).strip()
    arguments = _arguments(row)
    return str(arguments[0][0]).strip()[-600:] if arguments and arguments[0] else ""


def _target(row: Mapping[str, Any]) -> str:
    target = row.get("target")
    choices = _continuations(row)
    place = int(target) if isinstance(target, int | str) and str(target).isdigit() else None
    if choices and place is not None and place < len(choices):
        return choices[place]
    return "" if target is None else _text(target)


def _answer(row: Mapping[str, Any]) -> str:
    """What was chosen or written. A choice is the likeliest continuation; its text says more than its number."""
    answers = row.get("resps") or row.get("filtered_resps")
    if not isinstance(answers, list) or not answers:
        return ""
    while isinstance(answers, list) and len(answers) == 1 and isinstance(answers[0], list):
        answers = answers[0]
    scores = [_logprob(answer) for answer in answers]
    choices = _continuations(row)
    if len(scores) > 1 and all(score is not None for score in scores):
        best = int(np.argmax([score for score in scores if score is not None]))
        return choices[best] if best < len(choices) else f"choice {best}"
    return _text(answers[0])


def _logprob(answer: Any) -> float | None:
    """lm-eval keeps (log-probability, is greedy), alone or in a list, as numbers or as text."""
    while isinstance(answer, list) and len(answer) == 1:
        answer = answer[0]
    if isinstance(answer, list) and len(answer) == 2 and not isinstance(answer[0], list):
        try:
            return float(answer[0])
        except (TypeError, ValueError):
            return None
    return None


def _arguments(row: Mapping[str, Any]) -> list[list[Any]]:
    raw = row.get("arguments")
    if isinstance(raw, Mapping):
        raw = [list(entry.values()) if isinstance(entry, Mapping) else [entry] for entry in raw.values()]
    return [list(entry) for entry in raw if isinstance(entry, list | tuple)] if isinstance(raw, list) else []


def _continuations(row: Mapping[str, Any]) -> list[str]:
    texts = [entry[1] for entry in _arguments(row) if len(entry) > 1]
    return [text.strip() for text in texts] if texts and all(isinstance(text, str) for text in texts) else []


def _text(value: Any) -> str:
    while isinstance(value, list) and len(value) == 1:
        value = value[0]
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
