"""Files of judgments, labels and rubrics that were made to break whoever reads them: one line says what is wrong."""

from __future__ import annotations

import gzip
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from evalkit.errors import ConfigError, EvalkitError, UsageError
from evalkit.judging.audit import audit_comparisons, audit_scores
from evalkit.judging.calibrate import calibrate
from evalkit.judging.certificate import save_certificate
from evalkit.judging.pairwise import read_comparisons
from evalkit.judging.records import read_judgments, read_labels
from evalkit.judging.rubric import find_rubric
from evalkit.judging.rubricfile import load_rubric
from evalkit.judging.scale import Scale, parse_scales
from tests.helpers.judged import RUBRIC, write

FIVE = {"*": Scale.between(1, 5)}
HEAD = {"item": "a", "dimension": "q"}


@pytest.mark.parametrize(
    "line",
    [
        b"[" * 100_000,
        b"[1]",
        b"null",
        b"\xff\xfe{",
        b'{"item": "\\ud800", "dimension": "q", "score": 1}',
        b'{"item": "a", "dimension": "q", "top_logprobs": {"5": Infinity}}',
        b'{"item": "a", "dimension": "q", "top_logprobs": {"5": NaN}}',
        b'{"item": "a", "dimension": "q", "top_logprobs": {"5": 3}}',
        b'{"item": "a", "dimension": "q", "top_logprobs": [["5"]]}',
        b'{"item": "a", "dimension": "q", "responses": 5}',
    ],
)
def test_an_odd_line_of_judgments_is_named(tmp_path: Path, line: bytes) -> None:
    (tmp_path / "j.jsonl").write_bytes(json.dumps({**HEAD, "item": "b", "score": 2}).encode() + b"\n" + line + b"\n")
    with pytest.raises(ConfigError, match=r"j\.jsonl:2"):
        read_judgments(tmp_path / "j.jsonl", FIVE)


@pytest.mark.parametrize("score", [1e308, -1e308, "1e999", "nan", [5], {"a": 1}, True, 10**400])
def test_a_score_that_is_no_rating_is_missing_with_its_reason(tmp_path: Path, score: Any) -> None:
    [judged] = read_judgments(write(tmp_path / "j.jsonl", [{**HEAD, "score": score}]), {})
    assert judged.score is None
    assert judged.reason


@pytest.mark.parametrize("human", [1e308, "5", True, {"a": 1}, [[5]], [1e300, 3]])
def test_a_label_that_is_no_rating_is_named(tmp_path: Path, human: Any) -> None:
    with pytest.raises(ConfigError, match=r"h\.jsonl:1"):
        read_labels(write(tmp_path / "h.jsonl", [{**HEAD, "human": human}]))


COMPARISON = {"item": "a", "system": "s", "against": "t", "preference": 0.5}
ALPACA = {"instruction": "Do.", "generator_2": "m", "output_1": "x", "output_2": "y", "preference": 1.5}


@pytest.mark.parametrize(
    "change",
    [
        {"preference": "much"},
        {"preference": 10**300},
        {"preference": -7},
        {"preference": float("nan")},
        {"orders": [5]},
        {"orders": 5},
    ],
)
def test_a_comparison_that_is_none_is_named(tmp_path: Path, change: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=r"c\.jsonl:1"):
        read_comparisons(write(tmp_path / "c.jsonl", [COMPARISON | change]))


@pytest.mark.parametrize(
    "change", [{"preference": "m"}, {"preference": 9}, {"top_logprobs": 5}, {"top_logprobs": [5]}, {"output_2": 7}]
)
def test_an_annotation_of_alpacaeval_that_is_none_is_named(tmp_path: Path, change: dict[str, Any]) -> None:
    path = write(tmp_path / "c.jsonl", [ALPACA | change] * 12)
    if "output_2" in change:
        json.dumps(audit_comparisons(read_comparisons(path)), allow_nan=False)
    else:
        with pytest.raises(ConfigError, match=r"c\.jsonl:1"):
            read_comparisons(path)


def test_odd_rows_are_audited(tmp_path: Path) -> None:
    rows = [{**HEAD, "item": str(i), "score": 3, "length": 10**290, "answer": [i], "system": [1]} for i in range(12)]
    judged = read_judgments(write(tmp_path / "j.jsonl", rows), {})
    json.dumps(audit_scores(judged), allow_nan=False)
    json.dumps(calibrate(judged, {("1", "q"): [3.0], ("2", "q"): [4.0]}, resamples=100), allow_nan=False)


def test_a_record_of_calibration_stays_in_its_folder(tmp_path: Path) -> None:
    row = {**HEAD, "score": 3, "rubric_hash": "../../../up", "judge_fingerprint": "../../x"}
    judged = read_judgments(write(tmp_path / "j.jsonl", [row]), {})
    (tmp_path / "root").mkdir()
    path = save_certificate(tmp_path / "root", {"q": {}}, judged, "h.jsonl")
    assert path is not None
    assert path.resolve().is_relative_to(tmp_path / "root")


def truncated(path: Path) -> None:
    path.write_bytes(gzip.compress(b'{"item": "a"}' * 1000)[:-12])


def garbled(path: Path) -> None:
    path.write_bytes(gzip.compress(b"x" * 1000)[:12] + b"\xff" * 40)


@pytest.mark.parametrize("make", [truncated, garbled, Path.mkdir, os.mkfifo])
def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, make: Callable[[Path], None]) -> None:
    make(tmp_path / "j.jsonl.gz")
    with pytest.raises(UsageError, match=r"j\.jsonl\.gz"):
        read_judgments(tmp_path / "j.jsonl.gz", FIVE)


BOMB = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{name}: &{name} [{', '.join([f'*{before}'] * 9)}]\n" for before, name in zip("abcdefgh", "bcdefghi", strict=True)
)


@pytest.mark.parametrize(
    "content",
    [
        BOMB,
        "id: &a [*a]\n",
        "[" * 5000,
        RUBRIC + "id: two\n",
        RUBRIC + "version: " + "9" * 399 + "\n",
        RUBRIC + "min_coverage: .inf\n",
        RUBRIC.replace("'1:5'", "'1:1e999'"),
        RUBRIC.replace("'1:5'", "{labels: {A: 1.0e+300, B: 0}}"),
        RUBRIC + "x" * (2 << 20),
    ],
)
def test_a_rubric_that_was_made_to_hang_is_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / "one.yaml").write_text(content)
    with pytest.raises(ConfigError, match=r"one\.yaml"):
        load_rubric(tmp_path / "one.yaml")
    with pytest.raises(EvalkitError):
        find_rubric("one", [tmp_path])
    with pytest.raises(UsageError, match="no such rubric"):
        find_rubric("another", [tmp_path])


@pytest.mark.parametrize("scale", ["q=1:1e999", "q=nan:5", "q=1:inf", "q=5:1", "q=1:1e300", "q=" + "9" * 400 + ":1"])
def test_a_scale_without_ends_is_refused(scale: str) -> None:
    with pytest.raises(UsageError):
        parse_scales(scale)
