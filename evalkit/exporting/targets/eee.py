"""Every Eval Ever 0.3.0: one JSON file for each task or group that was asked for, with its samples beside it."""

from __future__ import annotations

import hashlib
import json
import re
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evalkit.engines.spec import all_specs
from evalkit.errors import UsageError
from evalkit.exporting.cleaning import file_name
from evalkit.exporting.datasets import data_of
from evalkit.exporting.figures import ExportedFigure
from evalkit.exporting.spec import ExporterSpec, Options, Receipt
from evalkit.metrics import facts
from evalkit.results import JudgeInfo, Run, write_file
from evalkit.types import JsonObject

if TYPE_CHECKING:
    from evalkit.exporting.parcel import Parcel

__all__ = ["SPEC"]

_SCHEMA = "0.3.0"
_RELATIONSHIPS = ("first_party", "third_party", "collaborative", "other")


def _export(parcel: Parcel, options: Options) -> Receipt:
    relationship = options.args.get("relationship", "other")
    if relationship not in _RELATIONSHIPS:
        raise UsageError(f"--export-args relationship={relationship}: one of {', '.join(_RELATIONSHIPS)}")
    now = str(time.time())
    files: list[Path] = []
    for task in parcel.run.requested:
        if parcel.run.entry(task) is not None:
            files += _write(parcel, options, task, now, relationship)
    return Receipt("eee", f"{len(files)} files below {options.out}", tuple(files))


def _write(parcel: Parcel, options: Options, task: str, now: str, relationship: str) -> list[Path]:
    """The file of one name that was asked for; a group's holds its members' figures and samples too."""
    model = _model(parcel, options)
    names = (task, *_members(parcel.run, task))
    figures = [figure for figure in parcel.figures if figure.task in names and figure.value is not None]
    if not figures:
        return []
    identity = _uuid(f"{parcel.export_id}/{task}")
    developer, _, name = model["id"].partition("/")
    place = "/".join(("data", _portable(task), _portable(developer), _portable(name), identity))
    evaluation = f"{task}/{model['id']}/{now}"
    rows = list(_samples(parcel.run, names, evaluation, model["id"]))
    content: dict[str, Any] = {
        "schema_version": _SCHEMA,
        "evaluation_id": evaluation,
        "evaluation_timestamp": str(parcel.run.created.timestamp()),
        "retrieved_timestamp": now,
        "source_metadata": {
            "source_name": "evalkit",
            "source_type": "evaluation_run",
            "source_organization_name": options.args.get("organization", "unknown"),
            "evaluator_relationship": relationship,
        },
        "model_info": model,
        "eval_library": {
            "name": parcel.run.imported_from or "evalkit",
            "version": str(parcel.run.record.manifest.evalkit or "unknown"),
        },
        "evaluation_results": [_result(parcel, figure) for figure in figures],
    }
    written = []
    if rows:
        text = "".join(json.dumps(row, ensure_ascii=False, allow_nan=False) + "\n" for row in rows).encode("utf-8")
        samples = options.out / f"{place}_samples.jsonl"
        write_file(samples, text)
        written.append(samples)
        content["detailed_evaluation_results"] = {
            "format": "jsonl",
            "file_path": f"{place}_samples.jsonl",
            "hash_algorithm": "sha256",
            "checksum": hashlib.sha256(text).hexdigest(),
            "total_rows": len(rows),
        }
    path = options.out / f"{place}.json"
    write_file(path, json.dumps(content, ensure_ascii=False, indent=2, allow_nan=False).encode("utf-8"))
    return [path, *written]


def _members(run: Run, name: str) -> list[str]:
    """All names below a group, each once."""
    entry = run.entry(name)
    members: dict[str, None] = {}
    waiting = [] if entry is None else list(entry.all_members)
    while waiting:
        member = waiting.pop(0)
        if member not in members and member != name:
            members[member] = None
            inner = run.entry(member)
            waiting += [] if inner is None else list(inner.all_members)
    return list(members)


def _model(parcel: Parcel, options: Options) -> JsonObject:
    manifest = parcel.run.record.manifest
    source = str(manifest.model.source or parcel.label)
    adapter = "" if manifest.adapter is None or not manifest.adapter.name else f"+{manifest.adapter.name}"
    developer = options.args.get("developer")
    name = (source if re.fullmatch(r"[\w.-]+/[\w.-]+", source) else parcel.label.removesuffix(adapter)) + adapter
    if developer is not None or "/" not in name:
        # The datastore files models by developer; one that was never published has none.
        name = f"{developer or 'local'}/{name.rpartition('/')[2]}"
    served = manifest.engine is not None and (manifest.engine.dtype is None and manifest.model.fingerprint is None)
    info: dict[str, Any] = {
        "name": parcel.label,
        "id": name,
        "developer": name.partition("/")[0],
        "additional_details": {
            "deployment_type": "externally_managed" if served else "self_deployed",
            "model_availability": "open_weights" if not served and "/" in source else "unknown",
            **{
                key: str(value)
                for key, value in {
                    "revision": manifest.model.revision,
                    "weights_fingerprint": manifest.model.fingerprint,
                    "parameters": manifest.model.parameters,
                }.items()
                if value is not None
            },
        },
    }
    if manifest.engine is not None and manifest.engine.name:
        spec = all_specs().get(manifest.engine.name)
        version = (manifest.versions or {}).get((spec.library if spec is not None else "") or manifest.engine.name)
        info["inference_engine"] = {"name": manifest.engine.name, **({} if version is None else {"version": version})}
    return info


# ── figures ──────────────────────────────────────────────────────────────────


def _result(parcel: Parcel, figure: ExportedFigure) -> JsonObject:
    settings = parcel.run.record.manifest.tasks.get(figure.task)
    generation = {} if settings is None else dict(settings.generation or {})
    details = {
        "num_fewshot": figure.num_fewshot,
        "filter": figure.metric.partition(",")[2],
        "limit": parcel.run.record.manifest.limit,
        "status": parcel.run.status,
    }
    arguments = {
        "temperature": generation.get("temperature"),
        "max_tokens": generation.get("max_gen_toks"),
    }
    return {
        "evaluation_result_id": _result_id(figure.task, figure.metric),
        "evaluation_name": figure.task,
        "source_data": _data(figure.task),
        "metric_config": _metric(figure),
        "score_details": {
            "score": figure.value,
            **({} if (spread := _uncertainty(figure)) == {} else {"uncertainty": spread}),
        },
        "generation_config": {
            "generation_args": {key: value for key, value in arguments.items() if isinstance(value, int | float)},
            "additional_details": {key: str(value) for key, value in details.items() if value is not None},
        },
    }


def _metric(figure: ExportedFigure) -> JsonObject:
    base = figure.metric.partition(",")[0]
    config: dict[str, Any] = {
        "metric_id": figure.metric,
        "metric_name": base,
        "lower_is_better": figure.higher_is_better is False,
    }
    # Of a metric that may lie outside of 0 to 1 nothing is said: a wrong bound is worse than none.
    scale = figure.record.scale or ((0.0, 1.0) if facts(base).unit else None)
    if scale is not None:
        config |= {"score_type": "continuous", "min_score": scale[0], "max_score": scale[1]}
    if figure.record.judged:
        config["llm_scoring"] = {
            "judges": [{"model_info": _judge(judge)} for judge in figure.record.judge],
            "input_prompt": f"rubric {(figure.record.rubric and figure.record.rubric.id) or 'unknown'}",
        }
    return config


def _judge(judge: JudgeInfo) -> JsonObject:
    details = {"deployment_type": "unknown", "model_availability": "unknown"}
    return {"name": judge.name or "unknown", "id": judge.name or "unknown", "additional_details": details}


def _uncertainty(figure: ExportedFigure) -> JsonObject:
    spread: dict[str, Any] = {}
    if figure.stderr is not None:
        spread["standard_error"] = {"value": figure.stderr}
    if figure.low is not None and figure.high is not None:
        spread["confidence_interval"] = {"lower": figure.low, "upper": figure.high, "confidence_level": 0.95}
    if figure.n is not None and spread:
        spread["num_samples"] = figure.n
    return spread


def _data(task: str) -> JsonObject:
    data = data_of(task)
    if data is None:
        return {"dataset_name": task, "source_type": "other"}
    return {"dataset_name": task, "source_type": "hf_dataset", "hf_repo": data.id, "hf_split": data.split}


# ── samples ──────────────────────────────────────────────────────────────────


def _samples(run: Run, names: tuple[str, ...], evaluation: str, model: str) -> Iterator[JsonObject]:
    """One row for each document, filter and metric that has a number."""
    for task in names:
        if task not in run.record.results.tasks or not run.has_rows(task):
            continue
        for row in run.rows(task):
            for metric in row.get("metrics") or ():
                value = row.get(metric)
                if isinstance(value, int | float) and value == value:
                    yield _sample(row, task, str(metric), float(value), evaluation, model)


def _sample(row: JsonObject, task: str, metric: str, value: float, evaluation: str, model: str) -> JsonObject:
    from evalkit.comparison import texts

    question, target = texts.question(row), texts.target(row)
    answers = texts.answers(row, metric)
    choices = texts.continuations(row)
    chosen = row.get("filtered_resps")
    taken = answers[0] if choices and answers else texts.words(chosen) if chosen else ""
    return {
        "schema_version": _SCHEMA,
        "evaluation_id": evaluation,
        "model_id": model,
        "evaluation_name": task,
        "evaluation_result_id": _result_id(task, f"{metric},{row.get('filter', 'none')}"),
        "sample_id": f"{task}_{row.get('doc_id')}",
        "sample_hash": hashlib.sha256(f"{question}{target}".encode("utf-8", "surrogatepass")).hexdigest(),
        "interaction_type": "single_turn",
        "input": {
            "raw": question,
            "formatted": texts.prompt(row) or None,
            "reference": [target],
            "choices": choices or None,
        },
        "output": {"raw": answers},
        "messages": None,
        "answer_attribution": [
            {
                "turn_idx": 0,
                "source": "output.raw",
                "extracted_value": taken,
                "extraction_method": str(row.get("filter", "none")),
                "is_terminal": True,
            }
        ],
        "evaluation": {"score": value, "is_correct": value >= 1.0},
        "error": None if row.get("error") is None else str(row["error"]),
        "metadata": {key: str(row[key]) for key in ("doc_hash", "prompt_hash") if row.get(key) is not None},
    }


def _result_id(task: str, metric: str) -> str:
    return f"{task}/{metric}"


def _uuid(text: str) -> str:
    """A UUID that is the same for each export of the same run, so that a second one replaces the first."""
    return str(uuid.UUID(bytes=hashlib.sha256(text.encode()).digest()[:16], version=4))


def _portable(part: str) -> str:
    """A part of a path that every file system takes."""
    return file_name(re.sub(r'[<>:"\\/|?*\x00-\x1f]', "_", part).rstrip(". "))


SPEC = ExporterSpec(
    name="eee",
    title="Every Eval Ever",
    export=_export,
    arguments=frozenset({"organization", "relationship", "developer"}),
)
