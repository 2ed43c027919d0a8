"""New instructions: recorded runs made again."""

from __future__ import annotations

import json as json_format
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from evalkit.api.data_definitions import SynthReplayArguments
from evalkit.api.output import as_html_table, write_all, write_to
from evalkit.arguments import checked
from evalkit.errors import OutputError, UsageError
from evalkit.synth import Replay, read_recorded, replay

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["POOL", "SynthesizedPool", "synth_replay"]

POOL = "pool.jsonl"


@dataclass(frozen=True, eq=False, repr=False)
class SynthesizedPool:
    """The instructions that were kept, in order, and what became of the others."""

    result: Replay

    def frame(self) -> pd.DataFrame:
        """One row for each instruction that was kept."""
        import pandas as pd

        return pd.DataFrame(
            [(new.instruction, new.average) for new, _ in self.result.kept],
            columns=["instruction", "avg_similarity_score"],
        )

    def funnel(self) -> dict[str, object]:
        """How many prompts were answered, and how many candidates were refused, for which reason."""
        return {**asdict(self.result.funnel), "restarts": self.result.restarts}

    def json(self) -> str:
        return json_format.dumps(self.funnel(), indent=1)

    def pool(self) -> str:
        """The lines of pool.jsonl."""
        rows = (
            {
                "instruction": new.instruction,
                "avg_similarity_score": new.average,
                "most_similar": dict(new.most_similar),
                "exchange": exchange.number,
            }
            for new, exchange in self.result.kept
        )
        return "".join(json_format.dumps(row, ensure_ascii=False) + "\n" for row in rows)

    def __repr__(self) -> str:
        funnel = self.result.funnel
        refused = ", ".join(f"{count} {reason}" for reason, count in funnel.refused.items() if count) or "none"
        return (
            f"{funnel.prompts} prompts, {funnel.answered} answered, {funnel.candidates} candidates:"
            f" {funnel.kept} kept; refused: {refused}"
        )

    def _repr_html_(self) -> str:
        return as_html_table(repr(self), self.frame())


def synth_replay(
    folder: str | Path, *, out: str | Path | None = None, json: str | Path | None = None
) -> SynthesizedPool:
    """Make a recorded Self-Instruct run again from its kept answers; nobody is called."""
    asked = checked(SynthReplayArguments, {"out": out, "json": json})
    if asked.out is None:
        raise UsageError(f"--out DIR is missing: the folder that {POOL} is written to")
    again = SynthesizedPool(replay(read_recorded(Path(folder))))
    try:
        asked.out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"--out {asked.out}: cannot be made ({error.strerror})") from None
    write_to(str(asked.out / POOL), again.pool())
    write_all((asked.json, again.json))
    return again
