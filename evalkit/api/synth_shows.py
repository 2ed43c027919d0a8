"""What a pool holds: funnel, nearest neighbours, classification share, cost."""

from __future__ import annotations

import json as json_format
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evalkit import safe
from evalkit.api.output import as_html_table, write_all, write_to
from evalkit.api.synth_definitions import SynthShowArguments
from evalkit.arguments import from_call
from evalkit.registry.kinds import plain_name
from evalkit.synth.jsonl import as_lines
from evalkit.synth.poolfile import POOL, PoolRow, read_pool
from evalkit.synth.settings import is_own, read_settings

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["POOL_LABEL", "PoolView", "pool_task", "synth_show"]

POOL_LABEL = "pool"
"""What a pool's own answers are called as a run: --model pool."""


@dataclass(frozen=True, eq=False, repr=False)
class PoolView:
    rows: Sequence[PoolRow]
    settings: Mapping[str, Any]
    """synth.json; empty for a pool that was replayed from a recording."""
    shown: int
    """How many pairs of neighbours are shown."""

    @property
    def neighbours(self) -> list[tuple[float, str, str]]:
        """Similarity and texts of the most similar pairs, the nearest first."""
        pairs = [
            (row.most_similar[0][1], row.instruction, row.most_similar[0][0]) for row in self.rows if row.most_similar
        ]
        return sorted(pairs, key=lambda pair: -pair[0])[: self.shown]

    @property
    def classification_share(self) -> float | None:
        """None where it is not known which tasks are classifications."""
        known = [row.is_classification for row in self.rows if row.is_classification is not None]
        return sum(known) / len(known) if known else None

    def content(self) -> dict[str, Any]:
        averages = [row.average for row in self.rows if row.average is not None]
        share = self.classification_share
        return {
            "tasks": len(self.rows),
            "held_out": sum(row.held_out for row in self.rows),
            "instances": sum(len(row.instances) for row in self.rows),
            "classification_share": share,
            **({} if share is not None else {"classification_reason": "the recipe does not ask for it"}),
            "mean_similarity": sum(averages) / len(averages) if averages else None,
            "nearest": [{"similarity": s, "instruction": a, "nearest": b} for s, a, b in self.neighbours],
            "funnel": self.settings.get("funnel"),
            "cost": self.settings.get("cost"),
            "model": (self.settings.get("model") or {}).get("typed"),
        }

    def frame(self) -> pd.DataFrame:
        """One row for each task."""
        import pandas as pd

        return pd.DataFrame(
            [
                (row.instruction, "held-out" if row.held_out else "train", len(row.instances), row.is_classification)
                for row in self.rows
            ],
            columns=["instruction", "split", "instances", "is_classification"],
        )

    def json(self) -> str:
        return json_format.dumps(self.content(), ensure_ascii=False, indent=1)

    def __repr__(self) -> str:
        content = self.content()
        lines = [f"{content['tasks']} tasks, {content['held_out']} held out, {content['instances']} instances"]
        if funnel := content["funnel"]:
            lines.append(
                f"asked {funnel['prompts']} prompts, {funnel['answered']} answered ({funnel['cut']} cut):"
                f" {funnel['candidates']} candidates, {funnel['kept']} kept"
            )
            for what, counts in (("refused", funnel["refused"]), ("left out", funnel["left_out"])):
                for reason, count in sorted(counts.items(), key=lambda item: -item[1]):
                    if count:
                        lines.append(f"  {what}: {count} {reason}")
        share = content["classification_share"]
        lines.append("classification: not asked for" if share is None else f"classification: {share:.0%} of the tasks")
        if (mean := content["mean_similarity"]) is not None:
            lines.append(f"mean similarity to all before: {mean:.3f}; the nearest pairs:")
        lines += [f"  {s:.2f}  {a[:100]}  |  {b[:100]}" for s, a, b in self.neighbours]
        if cost := content["cost"]:
            usd = cost["usd"]
            spent = f"not known ({cost.get('reason')})" if usd is None else f"{usd:.4f} dollars"
            lines.append(f"cost of the last call: {spent}, {cost['generated_tokens']:,} tokens generated")
        return safe.terminal("\n".join(lines))

    def _repr_html_(self) -> str:
        return as_html_table(f"{len(self.rows)} tasks", self.frame())


def synth_show(
    folder: str | Path,
    *,
    neighbours: int = 5,
    sample: int = 50,
    to_label: str | Path | None = None,
    json: str | Path | None = None,
) -> PoolView:
    """Show what a pool holds; `to_label` writes a random sample of its tasks for people to label."""
    asked = from_call(SynthShowArguments, locals())
    path = Path(folder)
    view = PoolView(read_pool(path), read_settings(path) if is_own(path) else {}, asked.neighbours)
    if asked.to_label is not None:
        write_to(str(asked.to_label), as_lines(_to_label(path, view.rows, asked.sample)))
    write_all((asked.json, view.json))
    return view


def _to_label(path: Path, rows: Sequence[PoolRow], size: int) -> list[dict[str, Any]]:
    """A random sample, the same every time, as `judge calibrate` reads it. A number goes where null stands: 1 or 0.

    The items are those of the run that `synth export --format answers` and `evalkit score` make.
    """
    chosen = random.Random(0).sample(range(len(rows)), min(size, len(rows)))
    return [
        {
            "item": f"{pool_task(path)}/{place}|{POOL_LABEL}",
            "dimension": dimension,
            "human": None,
            "question": question,
            "instruction": rows[place].instruction,
            "input": rows[place].instances[0].input if rows[place].instances else "",
            "output": rows[place].instances[0].output if rows[place].instances else "",
        }
        for place in chosen
        for dimension, question in (("clear", "is the instruction clear?"), ("right", "is the output right?"))
    ]


def pool_task(folder: Path) -> str:
    """The task that the pool is: its rows are its documents, in order."""
    return plain_name(f"alpaca:{folder / POOL}")
