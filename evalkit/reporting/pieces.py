"""JSON entries and markdown table lines that several views use."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence

from evalkit import safe
from evalkit.comparison import Member, Unpaired
from evalkit.results import Run
from evalkit.types import JsonObject

__all__ = ["as_csv", "members_entry", "row", "rule", "run_entry", "unpaired_entry"]


def run_entry(run: Run) -> JsonObject:
    return {"run_id": run.run_id, "model": run.label, "path": str(run.path), "status": run.status}


def unpaired_entry(unpaired: Unpaired) -> dict[str, int]:
    return {
        "only_baseline": unpaired.only_baseline,
        "only_candidate": unpaired.only_candidate,
        "prompt_differs": unpaired.prompt_differs,
        "outside_limit": unpaired.outside_limit,
        "without_prompt_hash": unpaired.without_prompt_hash,
    }


def members_entry(members: Iterable[Member]) -> JsonObject:
    return {
        member.name: {
            "n": member.n,
            "baseline": member.baseline,
            "candidate": member.candidate,
            "delta": member.delta,
            "flips": {"lost": member.lost, "gained": member.gained},
        }
        for member in members
    }


def as_csv(records: Sequence[JsonObject]) -> str:
    """Flat records as CSV, the first one's keys as the header."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(records[0])
    writer.writerows([safe.csv_cell(cell) for cell in record.values()] for record in records)
    return text.getvalue()


def row(cells: Sequence[str]) -> str:
    """A row of a markdown table."""
    return "| " + " | ".join(safe.markdown(text) for text in cells) + " |"


def rule(columns: int, words: int) -> str:
    """The line below a markdown table's head. The first `words` columns are aligned left, the others right."""
    return "|" + "|".join("---" if place < words else "---:" for place in range(columns)) + "|"
