"""Weights & Biases: figures on a step axis of their own, changed documents as a table, the folder as an artifact."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from evalkit import safe
from evalkit.exporting.spec import ExporterSpec, Options, Receipt, check_reachable
from evalkit.exporting.tables import CHANGED, FIGURES, changed_rows, figure_rows

if TYPE_CHECKING:
    from evalkit.exporting.parcel import Parcel

__all__ = ["SPEC"]


def _export(parcel: Parcel, options: Options) -> Receipt:
    import wandb

    live = wandb.run
    run = live or _start(parcel, options)
    try:
        # A step of its own: a live run's training steps only rise, and an evaluation may come late.
        run.define_metric("eval/step")
        run.define_metric("eval/*", step_metric="eval/step")
        numbers = {
            f"eval/{figure.task}/{name}": value for figure in parcel.figures for name, value in figure.numbers().items()
        }
        tables: dict[str, Any] = {"eval/figures": wandb.Table(columns=list(FIGURES), data=figure_rows(parcel))}
        if parcel.evidence is not None:
            tables["eval/changed"] = wandb.Table(columns=list(CHANGED), data=changed_rows(parcel))
            numbers_of_verdict = {"eval/verdict": parcel.evidence.verdict.verdict}
            run.summary.update(numbers_of_verdict)
        run.log({"eval/step": options.step, **numbers, **tables})
        artifact = wandb.Artifact(f"evalkit-{parcel.export_id}", type="evaluation", metadata=parcel.settings)
        artifact.add_dir(str(parcel.folder))
        run.log_artifact(artifact)
    except BaseException:
        if live is None:
            run.finish(exit_code=1)
        raise
    where = f"{'offline run' if run.offline else 'run'} {run.id} of project {run.project}"
    url = None if run.offline else run.url
    if live is None:
        run.finish()
    synced = "; `wandb sync` sends it" if run.offline else ""
    return Receipt("wandb", f"{len(numbers)} numbers to {where}{synced}", url=url)


def _start(parcel: Parcel, options: Options) -> Any:
    import wandb

    settings = wandb.Settings(
        silent=True,
        console="off",
        disable_git=True,
        disable_code=True,
        save_code=False,
        x_disable_meta=True,  # it names this machine's folders
        x_disable_machine_info=True,
        x_disable_stats=True,
        x_save_requirements=False,
        init_timeout=60,
    )
    if os.environ.get("WANDB_MODE", "online") == "online":
        check_reachable(os.environ.get("WANDB_BASE_URL", "https://api.wandb.ai"), "Weights & Biases")
    return wandb.init(
        project=options.project or os.environ.get("WANDB_PROJECT") or "evalkit",
        id=options.id or os.environ.get("WANDB_RUN_ID") or parcel.export_id,
        name=safe.line(f"{parcel.label} {parcel.run.run_id}")[:128],
        resume="allow",
        config=dict(parcel.settings),
        job_type="evaluation",
        settings=settings,
    )


SPEC = ExporterSpec(
    name="wandb",
    title="Weights & Biases",
    export=_export,
    needs=("wandb",),
    install="lm-evalkit[wandb]",
    tracks=True,
)
