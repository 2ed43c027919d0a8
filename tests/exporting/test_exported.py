"""One run, exported once to everywhere by the real libraries, then read back and held against results.json."""

from __future__ import annotations

import base64
import importlib.util
import json
import re
import sqlite3
import subprocess
import sys
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import yaml

import evalkit as ek
from evalkit.exporting import Receipt
from tests.helpers.exporting import KEY, PRIVATE, bytes_below, known_figures, private_run, wandb_records
from tests.helpers.runfolders import TaskRows, write_run

TARGETS = ("wandb", "mlflow", "trackio", "hf", "eee", "lm-eval")


@dataclass(frozen=True)
class Exported:
    root: Path
    run: Path
    """The run's folder, below a private one."""
    store: Path
    """Where everything was written."""
    receipts: dict[str, Receipt]
    before: dict[Path, bytes]

    @property
    def files(self) -> Path:
        return self.store / "files"


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Exported]:
    for module in ("wandb", "mlflow", "trackio", "huggingface_hub"):
        pytest.importorskip(module, reason=f"{module}: pip install -e '.[dev]'")
    root = tmp_path_factory.mktemp("exports")
    run, baseline = private_run(root, worse=True), private_run(root, "baseline")
    store = root / "store"
    (store / "desk").mkdir(parents=True)
    before = {path: path.read_bytes() for path in (root / PRIVATE).rglob("*") if path.is_file()}
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(store / "desk")
        patch.setenv("SOME_API_KEY", KEY)
        patch.setenv("WANDB_MODE", "offline")
        for name in ("DIR", "CACHE_DIR", "DATA_DIR", "CONFIG_DIR", "ARTIFACT_DIR"):
            (store / "wandb" / name).mkdir(parents=True)
            patch.setenv(f"WANDB_{name}", str(store / "wandb" / name))
        patch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{store / 'mlflow.db'}")
        # Read when it is imported, which another test may have done.
        for name, module in list(sys.modules.items()):
            if name.partition(".")[0] == "trackio" and hasattr(module, "TRACKIO_DIR"):
                patch.setattr(module, "TRACKIO_DIR", store / "trackio")
        receipts = ek.export(
            run, to=TARGETS, output_path=root / PRIVATE / "runs", against=baseline, out=store / "files", step=7
        )
        yield Exported(root, run, store, {receipt.exporter: receipt for receipt in receipts}, before)


# ── what must never be written ─────────────────────────────────────────────────


def test_no_exporter_writes_a_key_or_a_local_path(exported: Exported) -> None:
    """Every byte below the store, whatever wrote it: databases, offline logs, tables, pages, YAML."""
    written = bytes_below(exported.store)
    assert len(written) > 15
    for path, content in written.items():
        for secret in (KEY, PRIVATE):
            assert secret.encode() not in content, f"{secret} stands in {path}"
    texts = b"".join(written.values())
    assert b"my-finetune" in texts  # names stay
    assert "자".encode() in texts  # and so does what the model wrote


def test_the_pages_packed_texts_hold_neither(exported: Exported) -> None:
    """The report packs its texts, so that searching its bytes would find nothing."""
    [page] = exported.store.rglob("report.html")
    packed = re.findall(r"[A-Za-z0-9+/=]{200,}", page.read_text(encoding="utf-8"))
    opened = 0
    for text in packed:
        for bits in (-15, 15, 31):
            try:
                content = zlib.decompress(base64.b64decode(text), bits)
            except (zlib.error, ValueError):
                continue
            opened += 1
            assert KEY.encode() not in content
            assert PRIVATE.encode() not in content
    assert opened or not packed


def test_the_run_is_untouched(exported: Exported) -> None:
    assert bytes_below(exported.root / PRIVATE) == exported.before


# ── experiment trackers ────────────────────────────────────────────────────────


def expected(run: Path, prefix: str = "") -> dict[str, float]:
    """What a tracker should hold, by the rule that docs/exports.md gives."""
    found = {}
    for (task, metric), figure in known_figures(run).items():
        base, _, filter_name = metric.partition(",")
        end = "" if filter_name == "none" else f",{filter_name}"
        low, high = figure["ci95"]
        values = {"": figure["value"], "_stderr": figure["stderr"], "_ci95_low": low, "_ci95_high": high}
        known = {part: value for part, value in values.items() if value is not None}
        found |= {f"{prefix}{task}/{base}{part}{end}": value for part, value in known.items()}
    return found


def test_wandb_holds_every_number_to_the_last_digit(exported: Exported) -> None:
    [file] = (exported.store / "wandb" / "DIR").glob("wandb/offline-run-*/run-*.wandb")
    records = wandb_records(file)
    history: dict[str, Any] = {}
    for record in records:
        if record.WhichOneof("record_type") == "history":
            for item in record.history.item:
                key = item.key or "/".join(item.nested_key)
                history[key] = json.loads(item.value_json)
    numbers = expected(exported.run, "eval/")
    assert {key: history[key] for key in numbers} == numbers
    assert history["eval/step"] == 7
    assert not [key for key in history if "perplexity" in key]  # it is not known, so no number stands for it
    metrics = {
        record.metric.name or record.metric.glob_name: record.metric for record in records if record.HasField("metric")
    }
    assert metrics["eval/*"].step_metric == "eval/step"
    artifacts = [record.request.log_artifact.artifact for record in records if record.HasField("request")]
    artifacts += [record.artifact for record in records if record.HasField("artifact")]
    names = {
        entry.path for artifact in artifacts if artifact.type == "evaluation" for entry in artifact.manifest.contents
    }
    assert {"results.json", "manifest.json", "scores.parquet", "samples/gsm8k.jsonl"} <= names
    [run] = {record.run.run_id for record in records if record.HasField("run")}
    assert run.startswith("my-finetune-ko-candidate-")


def test_wandb_has_a_table_of_the_documents_that_changed(exported: Exported) -> None:
    [file] = (exported.store / "wandb" / "DIR").rglob("changed_*.table.json")
    table = json.loads(file.read_text(encoding="utf-8"))
    assert table["columns"][:3] == ["task", "doc_id", "lost"]
    [row] = table["data"]
    assert row[:4] == ["gsm8k", 0, True, "What is 0 + 1?"]


def test_mlflow_holds_every_number_to_the_last_digit(exported: Exported) -> None:
    from mlflow import MlflowClient

    from evalkit.exporting.targets.mlflow import key_of

    client = MlflowClient(tracking_uri=f"sqlite:///{exported.store / 'mlflow.db'}")
    experiment = client.get_experiment_by_name("evalkit")
    [run] = client.search_runs([experiment.experiment_id])
    assert run.data.metrics == {key_of(key): value for key, value in expected(exported.run).items()}
    assert "humaneval/pass_at_1.create_test" in run.data.metrics
    [point] = client.get_metric_history(run.info.run_id, "humaneval/pass_at_1.create_test")
    assert point.step == 7
    assert run.data.params["model"] == "my-finetune+ko"
    assert run.data.tags["evalkit.verdict"] in ("pass", "regression", "cannot_tell")
    assert "perplexity" in run.data.tags["evalkit.unknown"]
    assert all(len(text) <= 5_000 for name, text in run.data.tags.items() if name.startswith("evalkit"))
    assert run.info.status == "FINISHED"
    files = {file.path for file in client.list_artifacts(run.info.run_id)}
    assert files == {"figures.json", "changed.json", "report.html"}
    page = Path(client.download_artifacts(run.info.run_id, "report.html")).read_text(encoding="utf-8")
    assert page.lower().startswith("<!doctype html>")


def test_a_second_export_goes_to_the_same_mlflow_run(exported: Exported) -> None:
    [again] = ek.export(exported.run, to="mlflow", step=8, output_path=exported.run.parents[1])
    assert again.what == exported.receipts["mlflow"].what


def test_trackio_holds_every_number_to_the_last_digit(exported: Exported) -> None:
    with sqlite3.connect(exported.store / "trackio" / "evalkit.db") as database:
        [(step, text)] = database.execute("select step, metrics from metrics").fetchall()
        [(settings,)] = database.execute("select config from configs").fetchall()
    logged = json.loads(text)
    numbers = expected(exported.run, "eval/")
    assert {key: logged[key] for key in numbers} == numbers
    assert step == 7
    assert json.loads(settings)["model"] == "my-finetune+ko"
    assert not [key for key in logged if "perplexity" in key]


HOSTILE = (
    "new\nline", "../../up", "..", "\x1b[31mred", "x" * 10_000, "질문", "🚀", "a b ", "a//b", "a,b", "a;b",
    "::error::x", "<b>", "%s",
)  # fmt: skip


def test_names_with_any_characters_are_exported_everywhere(exported: Exported, tmp_path: Path) -> None:
    """Each tracker gets a number for each task, and every file has a name that a disk takes."""
    tasks = {name: TaskRows([1.0, 0.0]) for name in HOSTILE}
    run = write_run(tmp_path / "runs", "odd", tasks, model="m\n\x1b[31m<b>자")
    store, out = exported.store, tmp_path / "files"
    before = bytes_below(run)
    ek.export(run, to=TARGETS, output_path=tmp_path / "runs", out=out, project="odd")
    assert bytes_below(run) == before
    assert {path.name for path in tmp_path.iterdir()} == {"runs", "files"}
    from mlflow import MlflowClient

    client = MlflowClient(tracking_uri=f"sqlite:///{store / 'mlflow.db'}")
    [logged] = client.search_runs([client.get_experiment_by_name("odd").experiment_id])
    assert len(logged.data.metrics) == len(HOSTILE)
    assert "질문/exact_match.strict-match" in logged.data.metrics
    assert not {"\n", "\x1b"} & set(logged.info.run_name)
    with sqlite3.connect(store / "trackio" / "odd.db") as database:
        [(numbers,)] = database.execute("select metrics from metrics").fetchall()
    assert len([name for name in json.loads(numbers) if name.startswith("eval/")]) == len(HOSTILE)
    [file] = (store / "wandb" / "DIR").glob("wandb/offline-run-*-m-*/run-*.wandb")
    keys = {
        item.key or "/".join(item.nested_key)
        for record in wandb_records(file)
        if record.WhichOneof("record_type") == "history"
        for item in record.history.item
    }
    assert len([key for key in keys if key.endswith("/exact_match,strict-match")]) == len(HOSTILE)
    files = list(out.rglob("*"))
    assert len(files) > len(HOSTILE)
    for path in files:
        assert path.name.isprintable()
        assert len(path.name.encode()) <= 255


def test_a_live_run_of_wandb_is_used_and_left_open(exported: Exported, monkeypatch: pytest.MonkeyPatch) -> None:
    import wandb

    live = wandb.init(project="training", mode="offline", settings=wandb.Settings(silent=True, console="off"))
    try:
        live.log({"loss": 1.0})
        [receipt] = ek.export(exported.run, to="wandb", output_path=exported.run.parents[1], step=100)
        assert live.id in receipt.what
        assert "training" in receipt.what
        assert wandb.run is live
    finally:
        live.finish()


EEE = "every-eval-ever==0.3.0"


# ── Every Eval Ever ──────────────────────────────────────────────────────────


@pytest.fixture(scope="module")
def schemas(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The published JSON schemas. The package wants Python 3.12, its schemas do not: they are taken from its wheel."""
    folder = tmp_path_factory.mktemp("eee")
    fetch = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:"]
    done = subprocess.run(
        [*fetch, "--python-version", "3.12", "--dest", str(folder), EEE], capture_output=True, text=True
    )
    wheels = list(folder.glob("*.whl"))
    if done.returncode != 0 or not wheels:
        pytest.skip(f"{EEE} can't be fetched from the package index here, and its schemas are inside")
    with zipfile.ZipFile(wheels[0]) as wheel:
        names = [name for name in wheel.namelist() if name.endswith(".schema.json")]
        return {Path(name).name.removesuffix(".schema.json"): json.loads(wheel.read(name)) for name in names}


def test_every_eval_ever_files_fit_the_published_schemas(exported: Exported, schemas: dict[str, Any]) -> None:
    import jsonschema

    files = sorted((exported.files / "data").rglob("*.json"))
    assert [path.parts[-4] for path in files] == ["gsm8k", "humaneval"]
    for path in files:
        content = json.loads(path.read_text(encoding="utf-8"))
        jsonschema.Draft7Validator(schemas["eval"]).validate(content)
        samples = exported.files / content["detailed_evaluation_results"]["file_path"]
        rows = [json.loads(line) for line in samples.read_text(encoding="utf-8").splitlines()]
        assert len(rows) == content["detailed_evaluation_results"]["total_rows"] == 3
        validator = jsonschema.Draft7Validator(schemas["instance_level_eval"])
        for row in rows:
            validator.validate(row)
            assert row["evaluation_id"] == content["evaluation_id"]
            assert row["model_id"] == content["model_info"]["id"] == "local/my-finetune+ko"
        identifiers = {result["evaluation_result_id"] for result in content["evaluation_results"]}
        assert {row["evaluation_result_id"] for row in rows} <= identifiers


def test_every_eval_evers_own_validator_accepts_them(exported: Exported) -> None:
    if importlib.util.find_spec("every_eval_ever") is None:
        pytest.skip("every-eval-ever is for Python 3.12 or newer; the schemas are checked above")
    names = [path.relative_to(exported.files).as_posix() for path in (exported.files / "data").rglob("*.json*")]
    command = [sys.executable, "-m", "every_eval_ever", "validate", *names]
    done = subprocess.run(command, cwd=exported.files, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


def test_every_eval_ever_holds_the_figures_with_their_intervals(exported: Exported) -> None:
    found = {}
    for path in (exported.files / "data").rglob("*.json"):
        for result in json.loads(path.read_text(encoding="utf-8"))["evaluation_results"]:
            found[result["evaluation_name"], result["metric_config"]["metric_id"]] = result["score_details"]
    assert found.keys() == known_figures(exported.run).keys()
    for key, figure in known_figures(exported.run).items():
        spread = found[key]["uncertainty"]
        assert found[key]["score"] == figure["value"]
        stated = spread.get("standard_error", {}).get("value")
        assert stated == figure["stderr"]
        interval = spread["confidence_interval"]
        assert [interval["lower"], interval["upper"]] == figure["ci95"]
        assert spread["num_samples"] == 3


# ── lm-eval ──────────────────────────────────────────────────────────────────


def test_lm_evals_own_functions_read_the_results(exported: Exported) -> None:
    utils = pytest.importorskip("lm_eval.utils", reason="lm_eval is not installed")
    folder = exported.files / "my-finetune+ko"
    names = [str(path) for path in folder.iterdir()]
    results = utils.get_results_filenames(names)
    samples = utils.get_sample_results_filenames(names)
    assert len(results) == 1
    assert {utils.get_file_task_name(Path(name).name) for name in samples} == {"gsm8k", "humaneval"}
    assert {utils.get_file_datetime(Path(name).name) for name in samples} == {
        utils.get_file_datetime(Path(results[0]).name).removesuffix(".json")
    }
    content = json.loads(Path(utils.get_latest_filename(results)).read_text(encoding="utf-8"))
    for (task, metric), figure in known_figures(exported.run).items():
        base, _, filter_name = metric.partition(",")
        assert content["results"][task][metric] == figure["value"]
        stderr = "N/A" if figure["stderr"] is None else figure["stderr"]  # as lm-eval writes what it does not know
        assert content["results"][task][f"{base}_stderr,{filter_name}"] == stderr
    assert content["results"]["humaneval"]["perplexity,none"] == "N/A"
    table = utils.make_table(content)
    assert "strict-match" in table
    assert "gsm8k" in table


def test_the_datasets_library_loads_the_samples(exported: Exported, tmp_path: Path) -> None:
    datasets = pytest.importorskip("datasets", reason="datasets is not installed")
    [file] = (exported.files / "my-finetune+ko").glob("samples_gsm8k_*.jsonl")
    rows = datasets.load_dataset("json", data_files=str(file), split="train", cache_dir=str(tmp_path))
    assert len(rows) == 3
    assert rows[0]["arguments"]["gen_args_0"]["arg_0"].startswith("Q: What is 0 + 1?")


def test_evalkit_reads_its_own_export_as_a_run_of_lm_eval(exported: Exported) -> None:
    again = ek.load(exported.files / "my-finetune+ko", exported.root / "nowhere")
    assert again.stored.imported_from == "lm-eval"
    figures = again.figures().set_index(["task", "metric"])["value"].to_dict()
    for key, figure in known_figures(exported.run).items():
        assert figures[key] == figure["value"]


# ── the Hugging Face hub ─────────────────────────────────────────────────────


def test_hub_benchmarks_get_an_entry_and_other_data_sets_get_none(exported: Exported) -> None:
    assert [path.name for path in (exported.files / ".eval_results").iterdir()] == ["gsm8k.yaml"]
    [entry] = yaml.safe_load((exported.files / ".eval_results" / "gsm8k.yaml").read_text(encoding="utf-8"))
    figure = known_figures(exported.run)["gsm8k", "exact_match,strict-match"]
    assert entry["dataset"] == {"id": "openai/gsm8k", "task_id": "gsm8k"}
    assert Decimal(repr(entry["value"])) == Decimal(repr(figure["value"])) * 100
    assert "95% interval" in entry["notes"]


def test_the_model_index_is_read_back_by_the_hubs_library(exported: Exported) -> None:
    from huggingface_hub.repocard_data import model_index_to_eval_results

    content = yaml.safe_load((exported.files / "model-index.yaml").read_text(encoding="utf-8"))
    name, results = model_index_to_eval_results(content["model-index"])
    assert name == "my-finetune+ko"
    found = {(result.dataset_name, result.metric_name): result.metric_value for result in results}
    known = known_figures(exported.run).items()
    assert found == {(task, metric.removesuffix(",none")): figure["value"] for (task, metric), figure in known}


def test_the_cards_section_has_figures_intervals_and_the_verdict(exported: Exported) -> None:
    section = (exported.files / "README.section.md").read_text(encoding="utf-8")
    assert re.search(r"\*\*(PASS|REGRESSION|CANNOT TELL)\*\*", section)
    for figure in known_figures(exported.run).values():
        assert repr(figure["value"]) in section
        assert f"{figure['ci95'][0]:.4f} – {figure['ci95'][1]:.4f}" in section
    assert "| humaneval | perplexity |" in section
    assert "unknown" in section
