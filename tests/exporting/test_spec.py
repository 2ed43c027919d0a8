"""How exporters are found, and what is said where one cannot send."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import evalkit as ek
from evalkit import plugins
from evalkit.errors import ExportError, RunFolderError, UsageError
from evalkit.exporting import GROUP, ExporterSpec, Options, Receipt, exporter_names, find_exporter, live_exporters, spec
from evalkit.exporting.parcel import open_parcel
from evalkit.results import Run
from tests.helpers.exporting import bytes_below, private_run
from tests.helpers.runfolders import TaskRows, write_run

SHIPPED = ("eee", "hf", "lm-eval", "mlflow", "trackio", "wandb")


def test_the_shipped_exporters_are_found_without_an_installation_too() -> None:
    in_folder = dict(spec.EXPORTERS.shipped)
    declared = {name: plugin.target for name, plugin in plugins.installed(GROUP).items()}
    assert tuple(sorted(in_folder)) == SHIPPED
    assert not declared or in_folder.items() <= declared.items()
    assert set(SHIPPED) <= set(exporter_names())
    assert live_exporters() == ("mlflow", "trackio", "wandb")


def test_a_library_that_is_missing_is_named_with_what_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        spec, "find_exporter", lambda name, flag: replace(find_exporter(name), needs=("nowhere_at_all",))
    )
    with pytest.raises(UsageError, match=r'--to wandb needs nowhere_at_all: pip install "lm-evalkit\[wandb\]"'):
        spec.ready(["wandb"])


@pytest.mark.parametrize(
    ("to", "variable", "value"),
    [
        ("mlflow", "MLFLOW_TRACKING_URI", "http://127.0.0.1:9"),
        ("wandb", "WANDB_BASE_URL", "http://127.0.0.1:9"),
        ("trackio", "TRACKIO_SPACE_ID", "me/space"),
    ],
)
def test_without_network_an_exporter_fails_with_one_line(
    to: str, variable: str, value: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in find_exporter(to).needs:
        pytest.importorskip(module, reason=f"{module} is not installed")
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("WANDB_MODE", raising=False)
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setenv(variable, value)
    run = private_run(tmp_path)
    before = bytes_below(run)
    with pytest.raises(ExportError, match=r"127\.0\.0\.1:9 cannot be reached .*the run itself is as it was") as raised:
        ek.export(run, to=to)
    assert raised.value.exit_code == 4
    assert "\n" not in str(raised.value)
    assert bytes_below(run) == before


def test_whatever_a_library_raises_is_one_line_without_keys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOME_API_KEY", "sk-canary-0123456789")

    def fail(parcel: Any, options: Options) -> Receipt:
        raise RuntimeError("refused\nfor sk-canary-0123456789 at /home/jiwoo/x")

    broken = ExporterSpec(name="broken", title="Broken", export=fail)
    monkeypatch.setattr("evalkit.api.exports.ready", lambda names: [broken])
    with pytest.raises(ExportError, match=r"^Broken: not exported \(RuntimeError: refused for \[SOME_API_KEY\] at x\)"):
        ek.export(private_run(tmp_path), to="broken")


def test_a_strangers_run_sends_no_file_of_this_machine_and_no_half_character(tmp_path: Path) -> None:
    """Its report is a link to elsewhere, and its rows hold halves of surrogate pairs."""
    (tmp_path / "private.md").write_text("sealed-canary")
    broken = [{"doc_id": 0, "doc": {"q": "\ud800"}, "resps": [["\udfff"]], "filtered_resps": ["x"], "acc": 1.0}]
    folder = write_run(tmp_path, "r", {"t": TaskRows([1.0])}, samples={"t": broken})
    (folder / "report.md").symlink_to(tmp_path / "private.md")
    with open_parcel(Run.open(folder)) as parcel:
        assert not (parcel.folder / "report.md").exists()
        assert b"sealed-canary" not in b"".join(bytes_below(parcel.folder).values())
        assert next(iter(parcel.run.rows("t")))["doc"] == {"q": "?"}
    (folder / "report.md").unlink()
    (folder / "report.md").write_text("figures")
    with open_parcel(Run.open(folder)) as parcel:
        assert (parcel.folder / "report.md").read_text() == "figures"


def test_an_error_about_the_runs_names_the_runs_and_not_their_copies(tmp_path: Path) -> None:
    rows = TaskRows([1.0], figure={"value": None, "reason": "it overflowed"})
    paths = [write_run(tmp_path, name, {"gsm8k": rows}, model=name) for name in ("a", "b")]
    with pytest.raises(RunFolderError, match="it overflowed") as raised:
        ek.export(paths[1], to="eee", against=paths[0], out=tmp_path / "out")
    assert str(paths[0]) in str(raised.value)
    assert "evalkit-export-" not in str(raised.value)
    assert not (tmp_path / "out").exists()


def test_a_group_without_figures_of_its_own_is_shown_by_its_members(tmp_path: Path) -> None:
    tasks = {name: TaskRows([1.0, 0.0]) for name in ("one", "two")}
    groups = {"groups": {"both": {"n": 4, "metrics": {}, "members": ["one", "two"]}}, "requested": ["both"]}
    run = write_run(tmp_path, "r", tasks, results=groups)
    ek.export(run, to="hf", out=tmp_path / "out")
    section = (tmp_path / "out" / "README.section.md").read_text(encoding="utf-8")
    assert "| one | " in section
    assert "| two | " in section


def test_a_run_can_be_logged_when_it_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The runs of a run that ends well are handed to each tracker, and an error leaves them with the caller."""
    from evalkit.api.exports import log_runs

    sent: list[str] = []

    def take(parcel: Any, options: Options) -> Receipt:
        sent.append(parcel.run.run_id)
        return Receipt("taker", "taken")

    def refuse(parcel: Any, options: Options) -> Receipt:
        raise OSError("no route")

    runs = [ek.load(private_run(tmp_path, name)) for name in ("x", "y")]
    taker = ExporterSpec(name="taker", title="Taker", export=take, tracks=True)
    monkeypatch.setattr("evalkit.api.exports.ready", lambda names, flag, tracking: [taker])
    log_runs(runs, ["taker"])
    assert sent == ["x", "y"]
    monkeypatch.setattr("evalkit.api.exports.ready", lambda *_, **__: [replace(taker, export=refuse)])
    with pytest.raises(ExportError) as raised:
        log_runs(runs, ["taker"])
    assert [run.run_id for run in raised.value.runs] == ["x", "y"]
