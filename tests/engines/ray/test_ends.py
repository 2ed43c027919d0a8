"""What ends a whole cluster ends the run with all that was answered kept, and leaves no process."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from evalkit.errors import EngineError
from tests.helpers import warm
from tests.helpers.checkpoints import make_checkpoint
from tests.helpers.fleets import counting_cluster, expected, fleet, items
from tests.helpers.processes import processes, wait_until_gone

pytest.importorskip("ray", reason='ray is not installed: pip install "lm-evalkit[ray]"')

ROOT = Path(__file__).resolve().parents[3]
TASK = """\
task: sums
dataset_path: json
dataset_kwargs: {data_files: {test: sums.jsonl}}
test_split: test
output_type: multiple_choice
doc_to_text: "{{q}}"
doc_to_choice: ["yes", "no"]
doc_to_target: 0
metric_list: [{metric: acc}]
"""


@pytest.mark.parametrize("daemon", ["raylet", "gcs_server"])
def test_a_lost_daemon_ends_in_all_answers_or_in_one_error(daemon: str) -> None:
    cluster = counting_cluster(2)
    folder = str(cluster._folder)
    engine, _ = fleet(cluster, 2, silence=6)
    work = items(400)
    answers: dict[int, object] = {}
    begun = time.monotonic()
    problem = ""
    try:
        for answer in engine.run(iter(work)):
            assert answer.id not in answers
            answers[answer.id] = answer
            if len(answers) == 50:
                for pid in processes(f"{daemon} "):
                    if folder in Path(f"/proc/{pid}/cmdline").read_text():
                        os.kill(pid, signal.SIGKILL)
    except EngineError as error:
        problem = str(error)
    if problem:
        assert "is kept" in problem
        assert len(answers) >= 50
    else:
        assert answers == expected(work)
    assert all(expected(work)[id_] == answer for id_, answer in answers.items())
    assert time.monotonic() - begun < 150
    engine.close()
    assert wait_until_gone(folder) == []


@pytest.fixture(scope="module")
def work_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("fleet")
    (folder / "tmp").symlink_to(tempfile.mkdtemp(prefix="ek", dir="/tmp"))
    make_checkpoint(folder / "model")
    (folder / "sums.yaml").write_text(TASK)
    lines = [json.dumps({"q": f"Is {number} + {number} = {2 * number}? " * 20}) for number in range(100)]
    (folder / "sums.jsonl").write_text("\n".join(lines))
    return folder


def begin(folder: Path, name: str, *more: str) -> warm.Process:
    command = ["run", "--model", "model", "--engine", "hf", "--device", "cpu"]
    command += ["--tasks", "sums", "--include-path", ".", "--name", name, *more]
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "OMP_NUM_THREADS": "1",
        "TMPDIR": str((folder / "tmp").resolve()),
    }
    return warm.start(*command, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def test_replicas_give_a_single_engines_rows_and_an_interrupted_run_goes_on(work_folder: Path) -> None:
    run = begin(work_folder, "together", "--replicas", "2")
    assert run.stderr is not None
    while (line := run.stderr.readline()) and "/100 documents" not in line:
        pass
    run.send_signal(signal.SIGINT)
    _, said = run.communicate(timeout=200)
    assert run.returncode in (130, 0), said
    assert "Traceback" not in said
    assert wait_until_gone(f"{(work_folder / 'tmp').resolve()}/evalkit-ray-") == []
    last = begin(work_folder, "together", "--replicas", "2", "-q")
    _, said = last.communicate(timeout=500)
    assert last.returncode == 0, said
    (work_folder / "results" / ".journal").rename(work_folder / "kept")
    alone = begin(work_folder, "alone", "-q")
    _, said = alone.communicate(timeout=500)
    assert alone.returncode == 0, said
    rows = {name: read_rows(work_folder, name) for name in ("alone", "together")}
    assert [row["doc_id"] for row in rows["together"]] == list(range(100))
    for one, other in zip(rows["alone"], rows["together"], strict=True):
        assert one["doc_hash"] == other["doc_hash"]
        values = [[pair for (pair,) in row["resps"]] for row in (one, other)]
        for a, b in zip(*values, strict=True):
            assert float(a[0]) == pytest.approx(float(b[0]), abs=1e-4)
    manifest = json.loads(next((work_folder / "results").glob("*/together/manifest.json")).read_text())
    assert manifest["engine"]["name"] == "hf"
    assert manifest["replicas"]["count"] in (1, 2)
    assert manifest["replicas"]["lost"] == 0


DRIVER = """from evalkit.errors import Interrupted
from evalkit.runner.stop import Stop
from tests.helpers.fleets import counting_cluster, fleet, items
import sys
with Stop() as stop:
    engine, _ = fleet(counting_cluster(2), 2, seconds=0.05)
    try:
        for number, answer in enumerate(engine.run(iter(items(2000)))):
            print(number, flush=True)
            if stop.now:
                break
    finally:
        engine.close()
sys.exit(Interrupted.exit_code if stop.requested else 0)
"""


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 130), (signal.SIGKILL, -signal.SIGKILL)])
def test_no_process_is_left_when_the_driver_is_ended(number: signal.Signals, code: int) -> None:
    folder = tempfile.mkdtemp(prefix="ek", dir="/tmp")
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "TMPDIR": folder}
    driver = subprocess.Popen([sys.executable, "-c", DRIVER], env=environment, text=True, stdout=subprocess.PIPE)
    assert driver.stdout is not None
    for _ in range(30):
        assert driver.stdout.readline()
    driver.send_signal(number)
    driver.communicate(timeout=30)
    assert driver.returncode == code
    assert wait_until_gone(f"{folder}/evalkit-ray-") == []


def read_rows(folder: Path, name: str) -> list[dict[str, object]]:
    (file,) = (folder / "results").glob(f"*/{name}/samples/sums.jsonl")
    return [json.loads(line) for line in file.read_text().splitlines()]
