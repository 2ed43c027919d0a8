"""MLflow: metrics with steps, parameters, tags, tables and the report, in any tracking store."""

from __future__ import annotations

import hashlib
import os
import re
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from evalkit import safe
from evalkit.exporting.spec import ExporterSpec, Options, Receipt, check_reachable
from evalkit.exporting.tables import CHANGED, FIGURES, changed_rows, figure_rows

if TYPE_CHECKING:
    from evalkit.exporting.parcel import Parcel

__all__ = ["SPEC", "key_of"]

_ID_TAG = "evalkit.export_id"
_LONGEST_KEY, _LONGEST_PARAM, _LONGEST_TAG = 250, 6_000, 5_000
_METRICS_AT_ONCE, _PARAMS_AT_ONCE = 1_000, 100


def key_of(name: str) -> str:
    """A name as MLflow takes it: letters and digits of any script, and `_-./ `. pass@1 becomes pass_at_1.

    MLflow refuses a name that as a path would be another one: no part of it is empty, a dot or begins with two. Of one
    that is too long the beginning is cut, and a hash says of which it was.
    """
    parts = [re.sub(r"[^\w.\- ]", ".", part) for part in name.replace("@", "_at_").split("/")]
    key = "/".join(f"_{part}" if part == "." or part.startswith("..") else part for part in parts if part) or "_"
    return key if len(key) <= _LONGEST_KEY else _marked(key[-_LONGEST_KEY + 9 :].lstrip("./"), name)


def _marked(key: str, name: str) -> str:
    return f"{hashlib.sha256(name.encode(errors='replace')).hexdigest()[:8]}-{key}"


def _export(parcel: Parcel, options: Options) -> Receipt:
    import mlflow
    from mlflow import MlflowClient
    from mlflow.entities import Metric, Param, RunTag

    address = options.args.get("tracking_uri") or mlflow.get_tracking_uri()
    check_reachable(address, "MLflow")
    client = MlflowClient(tracking_uri=address)
    live = mlflow.active_run() if "tracking_uri" not in options.args else None
    run = live.info if live is not None else _start(client, parcel, options)
    now = int(time.time() * 1000)
    numbers = keyed(parcel)
    metrics = [Metric(key, value, now, options.step) for key, value in numbers.items()]
    settings = unique(parcel.settings)
    params = [Param(key, str(value)[:_LONGEST_PARAM]) for key, value in settings.items()]
    tags = [RunTag(name, text[:_LONGEST_TAG]) for name, text in _tags(parcel).items()]
    for part in _parts(metrics, _METRICS_AT_ONCE):
        client.log_batch(run.run_id, metrics=part)
    for part in _parts(params, _PARAMS_AT_ONCE):
        client.log_batch(run.run_id, params=part)
    client.log_batch(run.run_id, tags=tags)
    client.log_table(run.run_id, _columns(FIGURES, figure_rows(parcel)), "figures.json")
    if parcel.evidence is not None and parcel.evidence.changed:
        client.log_table(run.run_id, _columns(CHANGED, changed_rows(parcel)), "changed.json")
    if parcel.report is not None:
        client.log_text(run.run_id, parcel.report(), "report.html")
    if live is None:
        client.set_terminated(run.run_id)
    return Receipt("mlflow", f"{len(metrics)} numbers to run {run.run_id}")


def keyed(parcel: Parcel) -> dict[str, float]:
    """The numbers by MLflow's keys."""
    return unique({f"{f.task}/{name}": value for f in parcel.figures for name, value in f.numbers().items()})


def unique(values: Mapping[str, Any]) -> dict[str, Any]:
    """The values by keys that MLflow takes. Where two names become one key, the second gets a hash of its own."""
    keyed: dict[str, Any] = {}
    for name, value in values.items():
        key = key_of(name)
        keyed[key if key not in keyed else _marked(key[: _LONGEST_KEY - 9], name)] = value
    return keyed


def _start(client: Any, parcel: Parcel, options: Options) -> Any:
    """The run of --id, else the one that an earlier export of this run made, else a new one."""
    if options.id is not None:
        return client.get_run(options.id).info
    name = options.project or os.environ.get("MLFLOW_EXPERIMENT_NAME") or "evalkit"
    experiment = client.get_experiment_by_name(name)
    number = client.create_experiment(name) if experiment is None else experiment.experiment_id
    earlier = client.search_runs([number], f"tags.`{_ID_TAG}` = '{parcel.export_id}'", max_results=1)
    if earlier:
        return earlier[0].info
    title = f"{parcel.label} {parcel.run.run_id}"
    return client.create_run(number, run_name=safe.line(title)[:_LONGEST_KEY], tags={_ID_TAG: parcel.export_id}).info


def _tags(parcel: Parcel) -> dict[str, str]:
    verdict = {} if parcel.evidence is None else {"evalkit.verdict": parcel.evidence.verdict.verdict}
    unknown = "; ".join(f"{name}: {reason}" for name, reason in parcel.unknown().items())
    tags = {
        _ID_TAG: parcel.export_id,
        "evalkit.run_id": parcel.run.run_id,
        "evalkit.status": parcel.run.status,
        "evalkit.notes": "\n".join(parcel.notes),
        "evalkit.unknown": unknown,
        **verdict,
    }
    return {name: text for name, text in tags.items() if text}


def _columns(names: Sequence[str], rows: Sequence[Sequence[Any]]) -> Mapping[str, list[Any]]:
    return {name: [row[place] for row in rows] for place, name in enumerate(names)}


def _parts(values: Sequence[Any], size: int) -> list[Sequence[Any]]:
    return [values[start : start + size] for start in range(0, len(values), size)]


SPEC = ExporterSpec(
    name="mlflow",
    title="MLflow",
    export=_export,
    needs=("mlflow",),
    install="lm-evalkit[mlflow]",
    tracks=True,
    arguments=frozenset({"tracking_uri"}),
)
