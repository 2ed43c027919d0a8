"""lm-eval's own output folder: results_<date>.json and samples_<task>_<date>.jsonl, for its tools and leaderboards."""

from __future__ import annotations

import datetime
import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evalkit.exporting.cleaning import file_name
from evalkit.exporting.spec import ExporterSpec, Options, Receipt
from evalkit.results import Entry, Run, TaskResult, TaskSettings, write_file
from evalkit.types import JsonObject

if TYPE_CHECKING:
    from evalkit.exporting.parcel import Parcel

__all__ = ["SPEC"]


def _export(parcel: Parcel, options: Options) -> Receipt:
    run = parcel.run
    date = _date(run)
    folder = options.out / _lm_eval_name(parcel.label)
    folder.mkdir(parents=True, exist_ok=True)
    files = []
    hashes = {}
    for task in run.record.results.tasks:
        if run.has_rows(task):
            path = folder / f"samples_{file_name(task.replace('/', '_'))}_{date}.jsonl"
            hashes[task] = _write_samples(path, run, task)
            files.append(path)
    path = folder / f"results_{date}.json"
    content = json.dumps(_results(parcel, hashes), ensure_ascii=False, indent=2)
    write_file(path, content.encode("utf-8"))
    return Receipt("lm-eval", f"{path} with the samples of {len(files)} tasks", (path, *files))


def _lm_eval_name(model: str) -> str:
    """The folder that lm-eval would make for the model."""
    return file_name(re.sub(r"[\"<>:/|\\?*\[\]]+", "__", model))


def _date(run: Run) -> str:
    """When the run came to its end, as lm-eval writes it: the same for every export of the run."""
    moment = run.dated or datetime.datetime.fromtimestamp(0, datetime.UTC)
    return moment.astimezone(datetime.UTC).replace(tzinfo=None).isoformat().replace(":", "-")


# ── figures ──────────────────────────────────────────────────────────────────


def _results(parcel: Parcel, hashes: Mapping[str, str]) -> JsonObject:
    run, record = parcel.run, parcel.run.record
    manifest, results = record.manifest, record.results
    entries: dict[str, Entry] = {**results.tasks, **results.groups}
    chat = manifest.chat_template
    engine = manifest.engine
    seeds = manifest.seeds or {}
    return {
        "results": {name: _figures(name, entry) for name, entry in entries.items()},
        "groups": {name: _figures(name, entry) for name, entry in results.groups.items()},
        "group_subtasks": {
            **{name: [] for name in results.tasks},
            **{name: list(group.all_members) for name, group in results.groups.items()},
        },
        "configs": {name: _config(name, manifest.tasks.get(name), entry) for name, entry in results.tasks.items()},
        "versions": {name: entry.version for name, entry in entries.items()},
        "n-shot": {name: entry.num_fewshot for name, entry in entries.items() if entry.num_fewshot is not None},
        "higher_is_better": {
            name: {key.partition(",")[0]: metric.higher_is_better for key, metric in entry.metrics.items()}
            for name, entry in entries.items()
        },
        "n-samples": {name: _counts(run, entry) for name, entry in results.tasks.items()},
        "config": {
            "model": None if engine is None else engine.name,
            "model_args": {"pretrained": manifest.model.source or parcel.label},
            "model_num_parameters": manifest.model.parameters,
            "model_dtype": None if engine is None else engine.dtype,
            "model_revision": manifest.model.revision,
            "limit": manifest.limit,
            "gen_kwargs": dict(manifest.sampling or {}),
            **{f"{name}_seed": seeds.get(name) for name in ("random", "numpy", "torch", "fewshot")},
        },
        "date": run.created.timestamp() if run.created.year > 1 else 0.0,
        "lm_eval_version": str((manifest.versions or {}).get("lm_eval", "")),
        "transformers_version": str((manifest.versions or {}).get("transformers", "")),
        "evalkit_version": manifest.evalkit,
        "model_source": None if engine is None else engine.name,
        "model_name": parcel.label,
        "model_name_sanitized": _lm_eval_name(parcel.label),
        "system_instruction": None if chat is None else chat.system_instruction,
        "chat_template": None,
        "chat_template_sha": None if chat is None else chat.hash,
        "fewshot_as_multiturn": None if chat is None else chat.fewshot_as_multiturn,
        "task_hashes": dict(hashes),
        "total_evaluation_time_seconds": str(results.timing.total or ""),
    }


def _figures(name: str, entry: Entry) -> JsonObject:
    figures: dict[str, Any] = {"name": name, "alias": name}
    if entry.n is not None:
        figures["sample_len"] = entry.n
    # The form has no headline: readers take the first figure for it.
    for key, metric in sorted(entry.metrics.items(), key=lambda item: item[0] != entry.headline):
        base, _, filter_name = key.partition(",")
        # Where lm-eval does not know a number it writes N/A, and never 0.
        figures[f"{base},{filter_name or 'none'}"] = "N/A" if metric.value is None else metric.value
        figures[f"{base}_stderr,{filter_name or 'none'}"] = "N/A" if metric.stderr is None else metric.stderr
    return figures


def _config(name: str, settings: TaskSettings | None, entry: TaskResult) -> JsonObject:
    config: dict[str, Any] = {"task": name, "num_fewshot": entry.num_fewshot, "metadata": {"version": entry.version}}
    if settings is not None:
        config["output_type"] = settings.output_type
        if settings.generation is not None:
            config["generation_kwargs"] = dict(settings.generation)
    return config


def _counts(run: Run, entry: TaskResult) -> dict[str, int | None]:
    """How many documents there are and how many were run; what is not known is null."""
    unlimited = run.record.manifest.limit is None and run.status == "complete"
    return {"original": entry.n if unlimited else None, "effective": entry.n}


# ── samples ──────────────────────────────────────────────────────────────────


def _write_samples(path: Path, run: Run, task: str) -> str:
    """The rows as lm-eval writes them; returns its hash over them."""
    parts: list[str] = []

    def lines() -> Iterator[str]:
        for row in run.rows(task):
            parts.append("".join(str(row.get(key) or "") for key in ("doc_hash", "prompt_hash", "target_hash")))
            yield json.dumps(_sample(row), ensure_ascii=False) + "\n"

    with path.open("w", encoding="utf-8", newline="\n") as file:
        file.writelines(lines())
    return hashlib.sha256("".join(parts).encode()).hexdigest()


def _sample(row: JsonObject) -> JsonObject:
    """Arguments become objects and responses text, so that `datasets` can load the file."""
    arguments = row.get("arguments")
    if isinstance(arguments, list):
        arguments = {
            f"gen_args_{place}": {f"arg_{j}": part for j, part in enumerate(given)}
            for place, given in enumerate(arguments)
            if isinstance(given, list)
        }
    return {
        **row,
        "arguments": arguments,
        "target": str(row.get("target")),
        "resps": _texts(row.get("resps")),
        "filtered_resps": _texts(row.get("filtered_resps")),
    }


def _texts(value: Any) -> Any:
    return [_texts(inner) for inner in value] if isinstance(value, list) else str(value)


SPEC = ExporterSpec(
    name="lm-eval",
    title="lm-eval's format",
    export=_export,
)
