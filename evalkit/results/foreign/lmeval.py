"""lm-eval's results: `results_<date>.json` and, with --log_samples, a `samples_<task>_<date>.jsonl` for each task."""

from __future__ import annotations

import datetime
import math
import re
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path, PurePath
from typing import Any

from evalkit.errors import RunFolderError, UsageError
from evalkit.results.foreign.lmeval_rows import read_task
from evalkit.results.foreign.reading import finite, listed, mapping, named, number, parse, read_bytes, read_rows
from evalkit.results.foreign.run import Columns, ForeignRun
from evalkit.results.record import (
    Count,
    GroupResult,
    Manifest,
    Metric,
    Results,
    RunRecord,
    TaskResult,
    TaskSettings,
)
from evalkit.types import JsonObject
from evalkit.validation import parse as parse_record

__all__ = ["is_results", "looks_like_results", "read"]

_DATE = r"\d{4}-\d\d-\d\dT\d\d-\d\d-\d\d(?:\.\d+)?"
_DATED = re.compile(rf"(?P<stem>.*)_(?P<date>{_DATE})", re.DOTALL)
_KEEP_ROWS = "run lm_eval with --log_samples, which writes samples_<task>_<date>.jsonl beside the results"
_NO_FIGURE = ("bypass",)
"""What lm-eval writes for a task whose metrics it was told not to compute."""


def looks_like_results(name: str) -> bool:
    """Whether lm-eval would give a file this name: results_<date>.json, or <typed>_<date>.json."""
    return name.endswith(".json") and _DATED.fullmatch(name.removesuffix(".json")) is not None


def is_results(content: Any) -> bool:
    return isinstance(content, dict) and isinstance(content.get("results"), dict) and "configs" in content


def read(path: Path) -> ForeignRun:
    """One results file with the samples of its date."""
    content = mapping(parse(read_bytes(path), path), path)
    if not is_results(content):
        raise UsageError(f"{path} is no results file of lm-eval: it has no `results` and `configs`")
    groups = _groups(content, path)
    figures = mapping(content["results"], f"{path}: results")
    configs = mapping(content["configs"], f"{path}: configs")
    names = [name for name in figures if name not in groups] or list(configs)
    for name in (*groups, *names):
        named(name, f"{path}: a task's name")
    files = _sample_files(path, names)
    columns = Columns()
    tasks: dict[str, TaskResult] = {}
    settings: dict[str, TaskSettings] = {}
    for name in names:
        config = mapping(configs.get(name), f"{path}: configs.{name}")
        tasks[name] = _task(content, name, config, path)
        hashes = read_task(files[name], name, tasks[name], config, columns) if name in files else {}
        settings[name] = _settings(content, name, config).model_copy(update=hashes)
    limited = _limit(content) is not None or any(_cut_short(content, name, path) for name in names)
    requested = tuple(_roots(content, groups, names))
    manifest = _manifest(content, path).model_copy(update={"requested": requested, "tasks": settings})
    results = Results(
        schema=1,
        run_id=path.stem,
        requested=requested,
        status="limited" if limited else "complete",
        limited=limited,
        tasks=tasks,
        groups={name: _group(content, name, members, groups, tasks, path) for name, members in groups.items()},
        model=manifest.model.typed,
    )
    rows = {name: partial(_rows, file) for name, file in files.items()}
    return ForeignRun(
        path=path,
        record=RunRecord(manifest, results),
        table=columns.table(),
        _rows=rows,
        how_to_keep_rows=_KEEP_ROWS,
    )


def _rows(file: Path) -> Iterator[JsonObject]:
    for _, row in read_rows(file):
        yield row


def _sample_files(path: Path, tasks: list[str]) -> dict[str, Path]:
    """Found by listing the folder: a task's name never becomes a path."""
    dated = _DATED.fullmatch(path.stem)
    try:
        there = sorted(
            entry for entry in path.parent.iterdir() if entry.name.startswith("samples_") and entry.is_file()
        )
    except OSError as error:
        raise RunFolderError(f"{path.parent} can't be read: {error.strerror or error}") from None
    files: dict[str, Path] = {}
    for file in there:
        parts = _DATED.fullmatch(file.name.removeprefix("samples_").removesuffix(".jsonl"))
        if file.suffix != ".jsonl" or not file.is_file() or parts is None or parts["stem"] not in tasks:
            continue
        if dated is None and parts["stem"] in files:
            raise UsageError(
                f"{path} has no date in its name, and there are several samples_{parts['stem']}_*.jsonl beside it:"
                " leave those of its own date there"
            )
        if dated is None or dated["date"] == parts["date"]:
            files[parts["stem"]] = file
    return files


# ── figures ──────────────────────────────────────────────────────────────────


def _groups(content: JsonObject, path: Path) -> dict[str, list[str]]:
    stated = mapping(content.get("group_subtasks"), f"{path}: group_subtasks")
    groups = {name: listed(members, f"{path}: group_subtasks.{name}") for name, members in stated.items()}
    return {name: [str(member) for member in members] for name, members in groups.items() if members}


def _roots(content: JsonObject, groups: Mapping[str, list[str]], tasks: list[str]) -> list[str]:
    """lm-eval does not write down what was typed: the groups and tasks that stand in no other group."""
    inside = {member for members in groups.values() for member in members}
    roots = [name for name in (*groups, *tasks) if name not in inside]
    return list(dict.fromkeys(roots)) or list(groups) or tasks


def _task(content: JsonObject, name: str, config: JsonObject, path: Path) -> TaskResult:
    figures = mapping(mapping(content["results"], path).get(name), f"{path}: results.{name}")
    n = number(_counts(content, name, path), "effective")
    n = number(figures, "sample_len") if n is None else n
    return TaskResult.model_validate(
        {
            **_version(content, name),
            **({} if n is None else {"n": n}),
            "missing": 0,
            "metrics": _metrics(content, name, figures, path),
            **_unknown(config),
        }
    )


def _unknown(config: JsonObject) -> dict[str, Count]:
    """What lm-eval does not write of its answers. Choices that are scored have an end and need no reading."""
    entries = {"truncated_prompts": "which prompts it cut to the model's window"}
    if config.get("output_type") not in ("multiple_choice", "loglikelihood", "loglikelihood_rolling"):
        entries |= {"unfinished": "how an answer ended", "unparsed": "in which answers nothing was found"}
    return {entry: Count.unknown(f"lm-eval does not write {what}") for entry, what in entries.items()}


def _counts(content: JsonObject, name: str, path: Path) -> JsonObject:
    counts = mapping(content.get("n-samples"), f"{path}: n-samples")
    return mapping(counts.get(name), f"{path}: n-samples.{name}")


def _cut_short(content: JsonObject, name: str, path: Path) -> bool:
    """Fewer documents than the task has: --limit, or --samples."""
    counts = _counts(content, name, path)
    n, whole = number(counts, "effective"), number(counts, "original")
    return n is not None and whole is not None and n < whole


def _group(
    content: JsonObject,
    name: str,
    members: list[str],
    groups: Mapping[str, list[str]],
    tasks: Mapping[str, TaskResult],
    path: Path,
) -> GroupResult:
    stated = mapping(content.get("groups"), f"{path}: groups").get(name)
    figures = mapping(stated or mapping(content["results"], path).get(name), f"{path}: groups.{name}")
    sizes = [tasks[leaf].n for leaf in _leaves(name, groups) if leaf in tasks]
    known = [size for size in sizes if size is not None]
    return GroupResult.model_validate(
        {
            **_version(content, name),
            **({"n": sum(known)} if known and len(known) == len(sizes) else {}),
            "missing": 0,
            "metrics": _metrics(content, name, figures, path),
            "members": [member for member in members if member in groups or member in tasks],
        }
    )


def _leaves(name: str, groups: Mapping[str, list[str]]) -> list[str]:
    """The tasks below a group. Each group is walked once, however often it stands in others."""
    if name not in groups:
        return [name]
    leaves: dict[str, None] = {}
    waiting, seen = [name], {name}
    while waiting:
        at = waiting.pop()
        for member in groups[at]:
            if member not in groups or member == at:
                leaves[member] = None
            elif member not in seen:
                seen.add(member)
                waiting.append(member)
    return list(leaves)


def _version(content: JsonObject, name: str) -> JsonObject:
    version = mapping(content.get("versions"), "versions").get(name)
    shots = number(mapping(content.get("n-shot"), "n-shot"), name)
    return {"version": version, **({} if shots is None else {"num_fewshot": int(shots)})}


def _metrics(content: JsonObject, name: str, figures: JsonObject, path: Path) -> dict[str, Metric]:
    higher = mapping(content.get("higher_is_better"), f"{path}: higher_is_better").get(name)
    directions = mapping(higher, f"{path}: higher_is_better.{name}")
    metrics: dict[str, Metric] = {}
    for key, value in figures.items():
        metric, comma, filter_name = key.partition(",")
        if not comma or metric.endswith("_stderr") or metric in _NO_FIGURE:
            continue
        named(key, f"{path}: a metric of {name}")
        figure: dict[str, Any] = {
            "value": finite(figures, key),
            "stderr": finite(figures, f"{metric}_stderr,{filter_name}"),
        }
        if figure["value"] is None:
            figure["reason"] = f"lm-eval wrote {str(value)[:60]!r}"
        if isinstance(directions.get(metric), bool):
            figure["higher_is_better"] = directions[metric]
        metrics[key] = Metric.model_validate(figure)
    return metrics


# ── what determined it ───────────────────────────────────────────────────────


def _settings(content: JsonObject, name: str, config: JsonObject) -> TaskSettings:
    generates = config.get("output_type") == "generate_until"
    return TaskSettings.model_validate(
        {
            **_version(content, name),
            "output_type": config.get("output_type"),
            "generation": config.get("generation_kwargs") if generates else None,
        }
    )


def _limit(content: JsonObject) -> float | None:
    return number(mapping(content.get("config"), "config"), "limit")


def _manifest(content: JsonObject, path: Path) -> Manifest:
    config = mapping(content.get("config"), f"{path}: config")
    started, seconds = number(content, "date"), content.get("total_evaluation_time_seconds")
    created = _moment(started)
    try:
        finished = _moment((started or math.nan) + float(seconds or 0.0))
    except (TypeError, ValueError):
        finished = created
    finished = finished or created or _named_time(path)
    template = content.get("chat_template")
    manifest = {
        "schema": 1,
        "run_id": path.stem,
        "imported": {"tool": "lm-eval", "version": content.get("lm_eval_version"), "file": path.name},
        "created": created,
        # Absent, not null: null would say that it never came to its end.
        **({} if finished is None else {"finished": finished}),
        "limit": _limit(content),
        "seeds": {key: config[key] for key in config if key.endswith("_seed")},
        "chat_template": {
            "applied": bool(template),
            "hash": content.get("chat_template_sha"),
            "fewshot_as_multiturn": content.get("fewshot_as_multiturn"),
            "system_instruction": content.get("system_instruction"),
        },
        **_model(content, config, path),
    }
    return parse_record(Manifest, manifest, str(path), RunFolderError)


def _model(content: JsonObject, config: JsonObject, path: Path) -> JsonObject:
    arguments = config.get("model_args")
    if isinstance(arguments, str):
        arguments = dict(part.split("=", 1) for part in arguments.split(",") if "=" in part)
    arguments = arguments if isinstance(arguments, dict) else {}
    base, adapter = arguments.get("pretrained"), arguments.get("peft")
    typed = str((base if adapter else None) or content.get("model_name") or base or path.parent.name)
    named(typed, f"{path}: model_name")
    dtype = config.get("model_dtype")
    return {
        "model": {
            "typed": typed,
            "source": typed,
            "revision": config.get("model_revision") or arguments.get("revision"),
            **({"parameters": config["model_num_parameters"]} if number(config, "model_num_parameters") else {}),
        },
        "adapter": {"name": PurePath(str(adapter)).name, "path": str(adapter)} if adapter else None,
        "engine": {
            "name": f"lm-eval {content.get('model_source') or config.get('model') or ''}".strip(),
            "dtype": str(dtype).removeprefix("torch.") if dtype else None,
        },
    }


def _moment(seconds: float | None) -> str | None:
    if seconds is None or not math.isfinite(seconds):
        return None
    try:
        return datetime.datetime.fromtimestamp(seconds, datetime.UTC).isoformat(timespec="seconds")
    except (OverflowError, OSError, ValueError):
        return None


def _named_time(path: Path) -> str | None:
    """When the file says in its name that it was written. Its own time is that of the last copy."""
    dated = _DATED.fullmatch(path.stem)
    day, _, time = dated["date"].partition("T") if dated else ("", "", "")
    try:
        return datetime.datetime.fromisoformat(f"{day}T{time[:8].replace('-', ':')}+00:00").isoformat()
    except ValueError:
        return None
