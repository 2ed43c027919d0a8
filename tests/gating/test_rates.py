"""A policy's `rates:`: raw or corrected, and which is said."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

import evalkit as ek
from evalkit.errors import EvalkitError
from evalkit.policy import Policy
from tests.helpers.runfolders import TaskRows, write_run


def write(path: Path, rate: float, half: float, corrected: float | None = None, n: int = 400) -> None:
    content = {
        "n": n,
        "raw": {"rate": rate, "ci95": [rate - half, rate + half]},
        "corrected": None,
        "reason": "no labels",
    }
    if corrected is not None:
        content["corrected"] = {
            "rate": corrected, "ci95": [corrected - half, corrected + half],
            "sensitivity": 0.5, "specificity": 0.9, "labels": 90,
        }  # fmt: skip
    path.write_text(json.dumps(content))


def judge(tmp_path: Path, allow: tuple[str, ...] | list[str] = (), **entry: Any) -> Any:
    for run_id in ("a", "b"):
        write_run(tmp_path, run_id, {"gsm8k": TaskRows([1.0, 0.0] * 200)}, model=run_id)
    lines = "".join(
        f"    {key}: {value}\n" for key, value in {"baseline": "a.json", "candidate": "b.json", **entry}.items()
    )
    (tmp_path / "gate.yaml").write_text(f"tasks: {{gsm8k: {{max_drop: 0.05}}}}\nrates:\n  refusals:\n{lines}")
    return ek.gate("a", "b", policy=tmp_path / "gate.yaml", output_path=tmp_path, allow=allow)


@pytest.mark.parametrize(
    ("after", "half", "verdict"), [(0.10, 0.01, "pass"), (0.30, 0.05, "regression"), (0.13, 0.04, "cannot_tell")]
)
def test_a_rate_may_rise_so_far(tmp_path: Path, after: float, half: float, verdict: str) -> None:
    write(tmp_path / "a.json", 0.10, half, 0.10)
    write(tmp_path / "b.json", 0.90, half, after)
    found = judge(tmp_path, max_rise=0.03)
    rates = found.tasks[-1]
    assert (found.verdict, rates.verdict, rates.metric) == (verdict, verdict, "corrected rate")
    assert "corrected rate" in found.markdown()
    assert json.loads(found.json())["tasks"]["refusals"]["metric"] == "corrected rate"


def test_a_raw_rate_is_called_raw(tmp_path: Path) -> None:
    write(tmp_path / "a.json", 0.10, 0.01)
    write(tmp_path / "b.json", 0.11, 0.01)
    found = judge(tmp_path, which="raw", max_rise=0.05)
    assert found.verdict == "pass"
    assert found.tasks[-1].metric == "raw rate"
    assert any(reason.startswith("raw:") for reason in found.tasks[-1].reasons)


def test_less_evidence_is_no_pass(tmp_path: Path) -> None:
    """Fewer answers, or more of them without a verdict: the rate alone would pass."""
    write(tmp_path / "a.json", 0.10, 0.001, 0.1)
    for n, missing, verdict in ((400, 0, "pass"), (300, 100, "cannot_tell"), (399, 1, "pass"), (300, 0, "cannot_tell")):
        write(tmp_path / "b.json", 0.05, 0.001, 0.05, n=n)
        content = json.loads((tmp_path / "b.json").read_text())
        (tmp_path / "b.json").write_text(json.dumps({**content, "missing": missing}))
        found = judge(tmp_path)
        assert (found.verdict, found.tasks[-1].verdict) == (verdict, verdict), (n, missing)
        shutil.rmtree(tmp_path / "a")
        shutil.rmtree(tmp_path / "b")
    found = judge(tmp_path, allow=["limit"])
    assert found.verdict == "pass"


def test_advisory_rates_never_fail(tmp_path: Path) -> None:
    write(tmp_path / "a.json", 0.10, 0.01, 0.1)
    write(tmp_path / "b.json", 0.50, 0.01, 0.5)
    assert judge(tmp_path, tier="advisory").verdict == "pass"


def test_limits_of_the_rise_are_movers(tmp_path: Path) -> None:
    write(tmp_path / "a.json", 0.10, 0.03, 0.1)
    write(tmp_path / "b.json", 0.20, 0.04, 0.2)
    assert judge(tmp_path).tasks[-1].ci95 == pytest.approx((0.05, 0.15))


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({}, "holds no corrected rate"),
        ({"which": "both"}, "write raw, or corrected"),
        ({"candidate": "c.json"}, "c.json cannot be read"),
        ({"candidate": "gate.yaml"}, "is not JSON"),
        ({"max_raise": 0.1}, "did you mean max_rise"),
        ({"max_rise": 2}, "it is a share"),
    ],
)
def test_what_cannot_be_judged_is_exit_2(tmp_path: Path, entry: dict[str, Any], message: str) -> None:
    write(tmp_path / "a.json", 0.10, 0.01)
    write(tmp_path / "b.json", 0.10, 0.01)
    with pytest.raises(EvalkitError, match=message) as raised:
        judge(tmp_path, **entry)
    assert raised.value.exit_code == 2


def test_a_file_that_is_no_rate_is_refused(tmp_path: Path) -> None:
    write(tmp_path / "a.json", 0.10, 0.01)
    (tmp_path / "b.json").write_text('{"n": 3}')
    with pytest.raises(EvalkitError, match="is not what evalkit rate --json writes"):
        judge(tmp_path, which="raw")


def test_a_name_is_a_task_or_a_rate() -> None:
    with pytest.raises(EvalkitError, match="is the name of a task too"):
        Policy.parse({"tasks": {"x": {}}, "rates": {"x": {"baseline": "a", "candidate": "b"}}})
