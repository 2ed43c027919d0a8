"""Trackio: figures in its local database, or on a Space where TRACKIO_SPACE_ID names one."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from evalkit.exporting.spec import ExporterSpec, Options, Receipt, check_reachable
from evalkit.exporting.tables import CHANGED, changed_rows

if TYPE_CHECKING:
    from evalkit.exporting.parcel import Parcel

__all__ = ["SPEC"]


def _export(parcel: Parcel, options: Options) -> Receipt:
    import pandas as pd
    import trackio
    from trackio import context_vars

    live = context_vars.current_run.get()
    project = options.project or os.environ.get("TRACKIO_PROJECT") or "evalkit"
    if live is None:
        space = options.args.get("space_id") or os.environ.get("TRACKIO_SPACE_ID")
        if space:
            check_reachable(os.environ.get("HF_ENDPOINT", "https://huggingface.co"), "Trackio")
        trackio.init(
            project=project,
            name=options.id or parcel.export_id,
            config={**parcel.settings, "unknown": parcel.unknown()},
            resume="allow",
            space_id=space or None,
            embed=False,
            auto_log_gpu=False,
            auto_log_cpu=False,
        )
    numbers = {
        f"eval/{figure.task}/{name}": value for figure in parcel.figures for name, value in figure.numbers().items()
    }
    try:
        tables = {}
        if parcel.evidence is not None:
            rows = changed_rows(parcel)
            tables = {"eval/verdict": parcel.evidence.verdict.verdict}
            if rows:
                tables["eval/changed"] = trackio.Table(dataframe=pd.DataFrame(rows, columns=list(CHANGED)))
        trackio.log({**numbers, **tables}, step=None if live is not None else options.step)
    finally:
        if live is None:
            trackio.finish()
    return Receipt("trackio", f"{len(numbers)} numbers to project {project}")


SPEC = ExporterSpec(
    name="trackio",
    title="Trackio",
    export=_export,
    needs=("trackio",),
    install="lm-evalkit[trackio]",
    tracks=True,
    arguments=frozenset({"space_id"}),
)
