"""The Hugging Face hub: `.eval_results/`, the older `model-index`, and a section of the model card.

Files are written; only --push opens a pull request on the model repository.
"""

from __future__ import annotations

import os
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evalkit.errors import ExportError, UsageError
from evalkit.exporting.card import card_section, with_section
from evalkit.exporting.datasets import Benchmark, benchmark_of, data_of
from evalkit.exporting.figures import ExportedFigure
from evalkit.exporting.spec import ExporterSpec, Options, Receipt, check_reachable
from evalkit.results import slug, write_file

if TYPE_CHECKING:
    from evalkit.exporting.parcel import Parcel

__all__ = ["SPEC"]

_HUB = "https://huggingface.co"
_SECTION, _INDEX = "README.section.md", "model-index.yaml"


def _export(parcel: Parcel, options: Options) -> Receipt:
    if options.push and parcel.run.status != "complete":
        raise UsageError(
            f"--push: this run is {parcel.run.status}, and its figures would stand beside those of whole benchmarks;"
            " run it without --limit, or leave --push out to write the files"
        )
    if options.push and not options.repo:
        raise UsageError("--push needs --repo ORG/MODEL, the model repository that the pull request is opened on")
    section = card_section(parcel)
    entries = _entries(parcel, options) if parcel.run.status == "complete" else {}
    index = _index(parcel, options)
    contents = {f".eval_results/{name}": text for name, text in entries.items()}
    written = _write(options.out, {**contents, _INDEX: _yaml({"model-index": index}), _SECTION: section})
    if not options.push:
        return Receipt("hf", f"{len(written)} files in {options.out}; nothing was sent", written)
    url = _push(parcel, options, contents, index, section)
    return Receipt("hf", f"pull request {url}", written, url=url)


def _write(folder: Path, contents: dict[str, str]) -> tuple[Path, ...]:
    for name, text in contents.items():
        write_file(folder / name, text.encode("utf-8"))
    return tuple(folder / name for name in contents)


def _yaml(content: Any) -> str:
    import yaml

    return yaml.safe_dump(content, sort_keys=False, allow_unicode=True)


# ── what is written ──────────────────────────────────────────────────────────


def _entries(parcel: Parcel, options: Options) -> dict[str, str]:
    """A file of `.eval_results/` for each Hub benchmark that the run covers, by its name."""
    from huggingface_hub import EvalResultEntry, eval_result_entries_to_yaml

    date = parcel.run.record.manifest.finished or parcel.run.record.manifest.created
    files = {}
    for figure in parcel.headlines:
        benchmark = _benchmark(figure.task, options)
        if benchmark is None or figure.value is None or not figure.is_headline:
            continue
        entry = EvalResultEntry(
            dataset_id=benchmark.id,
            task_id=benchmark.task_id,
            value=_percent(figure.value),
            date=date,
            notes=_notes(figure),
        )
        files[f"{slug(figure.task)}.yaml"] = _yaml(eval_result_entries_to_yaml([entry]))
    return files


def _benchmark(task: str, options: Options) -> Benchmark | None:
    """As --export-args benchmark=TASK:ORG/NAME:TASK_ID says, else as it is known."""
    typed = options.args.get("benchmark")
    if typed is not None:
        parts = str(typed).split(":")
        if len(parts) != 3 or "/" not in parts[1]:
            raise UsageError(f"--export-args benchmark={typed}: TASK:ORG/NAME:TASK_ID is wanted")
        if parts[0] == task:
            return Benchmark(parts[1], parts[2])
    return benchmark_of(task)


def _percent(share: float) -> float:
    """Shares stand as percent there. The decimal point is moved and no digit changes, as multiplying might."""
    return float(Decimal(repr(share)) * 100)


def _notes(figure: ExportedFigure) -> str:
    shots = "" if figure.num_fewshot is None else f"{figure.num_fewshot}-shot, "
    interval = ""
    if figure.low is not None and figure.high is not None:
        interval = f", 95% interval {_percent(figure.low)} to {_percent(figure.high)}"
    return f"{shots}{figure.name}{interval}, evalkit"


def _results(parcel: Parcel) -> list[Any]:
    from huggingface_hub import EvalResult

    results = []
    for figure in parcel.headlines:
        if figure.value is None:
            continue
        data = data_of(figure.task)
        results.append(
            EvalResult(
                task_type="text-generation",
                dataset_type=figure.task if data is None else data.id,
                dataset_name=figure.task,
                dataset_config=None if data is None else data.config,
                dataset_split=None if data is None else data.split,
                dataset_args=None if figure.num_fewshot is None else {"num_few_shot": figure.num_fewshot},
                metric_type=figure.metric.partition(",")[0],
                metric_name=figure.name,
                metric_value=figure.value,
            )
        )
    return results


def _index(parcel: Parcel, options: Options) -> list[dict[str, Any]]:
    from huggingface_hub.repocard_data import eval_results_to_model_index

    index: list[dict[str, Any]] = eval_results_to_model_index(
        (options.repo or parcel.label).rpartition("/")[2], _results(parcel)
    )
    return index


# ── sending ──────────────────────────────────────────────────────────────────


def _push(parcel: Parcel, options: Options, contents: dict[str, str], index: list[dict[str, Any]], section: str) -> str:
    """Open one pull request: the card's metadata by the hub's own merging, then files and section on its branch."""
    from huggingface_hub import CommitOperationAdd, HfApi, metadata_update
    from huggingface_hub.utils import get_token

    check_reachable(os.environ.get("HF_ENDPOINT", _HUB), "Hugging Face hub")
    if get_token() is None:
        raise ExportError("Hugging Face hub: no token; log in with `hf auth login`, or set HF_TOKEN. Nothing was sent")
    assert options.repo is not None
    api = HfApi()
    title = f"Evaluation results of {parcel.run.run_id}"
    for name, text in contents.items():
        _check_benchmark(api, name, text)
    # The verdict and the intervals have no place in the metadata, so they stand in the section.
    opened = metadata_update(options.repo, {"model-index": index}, overwrite=True, create_pr=True, commit_message=title)
    number = getattr(opened, "pr_num", None)
    if number is None:
        raise ExportError(f"Hugging Face hub: {opened} is no pull request; look at the repository")
    revision = f"refs/pr/{number}"
    card = Path(api.hf_hub_download(options.repo, "README.md", revision=revision)).read_text(encoding="utf-8")
    files = {**contents, "README.md": with_section(card, section)}
    operations = [CommitOperationAdd(name, text.encode("utf-8")) for name, text in files.items()]
    api.create_commit(options.repo, operations, commit_message=title, revision=revision)
    return f"{os.environ.get('HF_ENDPOINT', _HUB).rstrip('/')}/{options.repo}/discussions/{number}"


def _check_benchmark(api: Any, name: str, text: str) -> None:
    import yaml

    data = yaml.safe_load(text)[0]["dataset"]["id"]
    if not api.file_exists(data, "eval.yaml", repo_type="dataset"):
        raise ExportError(f"Hugging Face hub: {data} is no benchmark there, so {name} would show nowhere; nothing sent")


SPEC = ExporterSpec(
    name="hf",
    title="Hugging Face hub",
    export=_export,
    needs=("huggingface_hub",),
    install="lm-evalkit[hub]",
    pushes=True,
    arguments=frozenset({"benchmark"}),
)
