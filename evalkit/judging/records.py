"""Reads files of recorded judgments and of labels by people: one JSON object on each line."""

from __future__ import annotations

import itertools
import json
import math
import zlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from evalkit.errors import ConfigError, UsageError, nearest
from evalkit.judging.logprobs import from_tokens
from evalkit.judging.replies import read_reply
from evalkit.judging.scale import FARTHEST, Scale
from evalkit.types import JsonObject

__all__ = ["Judged", "is_comparison", "read_judgments", "read_labels", "read_objects", "score_row"]

_LONGEST_LINE = 64 << 20
_ROUNDING = 1e-4
"""How far above 0 a log-probability may lie by rounding alone."""


@dataclass(frozen=True, slots=True)
class Judged:
    """A recorded judgment of one item in one dimension: a score, or the reason why there is none."""

    item: str
    dimension: str
    score: float | None
    reason: str | None = None
    method: str = "score"
    group: str | None = None
    system: str | None = None
    responses: tuple[str, ...] = ()
    parsed: tuple[float, ...] = ()
    unread: Mapping[str, int] = field(default_factory=dict)
    """Replies that give no score, by reason."""
    row: JsonObject = field(default_factory=dict)


def read_objects(path: Path, flag: str) -> Iterator[tuple[int, JsonObject]]:
    """The objects of a file with their line numbers. ConfigError at the first line that is not an object."""
    import gzip

    if path.exists() and not path.is_file():
        raise UsageError(f"{flag} {path}: a folder, a pipe or a device; a file is wanted")
    try:
        with gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb") as file:
            for number in itertools.count(1):
                line = file.readline(_LONGEST_LINE + 1)
                if not line:
                    return
                if len(line) > _LONGEST_LINE:
                    raise ConfigError(f"{flag} {path}:{number} is longer than {_LONGEST_LINE >> 20} MiB")
                if line.strip():
                    yield number, _object(line, f"{flag} {path}:{number}")
    except (OSError, EOFError, zlib.error) as error:
        raise UsageError(f"{flag} {path}: cannot be read ({getattr(error, 'strerror', None) or error})") from None


def _object(line: bytes, where: str) -> JsonObject:
    try:
        value = json.loads(line, parse_int=_whole)
        if b"\\u" in line:
            json.dumps(value, ensure_ascii=False).encode()  # raises for a lone surrogate
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"{where} is not JSON: {str(error)[:300]}") from None
    if not isinstance(value, dict):
        raise ConfigError(f"{where}: an object is wanted, found {type(value).__name__}")
    return value


def _whole(digits: str) -> int | float:
    """A whole number; infinity if it is too large for a float."""
    return int(digits) if len(digits) < 300 else math.inf


def is_comparison(path: Path) -> bool:
    """Whether a file holds comparisons of two answers rather than judgments of one."""
    first = next((row for _, row in read_objects(path, "--judgments")), {})
    return "generator_2" in first or "preference" in first


def read_judgments(
    path: Path,
    scales: Mapping[str, Scale],
    min_mass: float = 0.9,
    *,
    known_scales: Mapping[str, Scale] | None = None,
    lenient: bool = False,
) -> list[Judged]:
    """Every line, scored. A reply without a score is kept and says why it is missing.

    `scales` were asked for by name and have to be there; `known_scales` come with a rubric. `lenient` takes replies
    without a scale as not scored.
    """
    every_scale = {**(known_scales or {}), **scales}
    judged: list[Judged] = []
    seen: dict[tuple[str, str], int] = {}
    for number, row in read_objects(path, "--judgments"):
        where = f"--judgments {path}:{number}"
        item, dimension = _text(row, "item", where), _text(row, "dimension", where)
        first = seen.setdefault((item, dimension), number)
        if first != number:
            raise ConfigError(f"{where}: {item!r} was judged in {dimension} before, on line {first}; keep one of them")
        scale = every_scale.get(dimension, every_scale.get("*"))
        if scale is None and lenient and "score" not in row:
            judged.append(Judged(item, dimension, None, "no scale to read it on", row=row))
            continue
        judged.append(score_row(row, scale, where, min_mass))
    if not judged:
        raise ConfigError(f"--judgments {path} holds no judgment")
    unknown = [name for name in scales if name != "*" and name not in {j.dimension for j in judged}]
    if unknown:
        judged_in = sorted({j.dimension for j in judged})
        raise UsageError(
            f"{path} has no judgment of {unknown[0]!r}{nearest(unknown[0], judged_in)} (it has {', '.join(judged_in)})"
        )
    return judged


def score_row(row: JsonObject, scale: Scale | None, where: str, min_mass: float = 0.9) -> Judged:
    """The judgment of a row: from its score, else from its log-probabilities, else from its replies."""
    head = Judged(
        str(row["item"]),
        str(row["dimension"]),
        None,
        group=_optional(row.get("group")),
        system=_optional(row.get("system")),
        row=row,
    )
    replies = _replies(row, where)
    if "score" in row:
        return _plain(row, scale, replace(head, responses=tuple(replies)))
    logprobs = row.get("top_logprobs")
    if logprobs is None and not replies and "responses" not in row:
        raise ConfigError(f"{where}: none of score, top_logprobs and responses is there{_almost(row)}")
    if scale is None:
        raise UsageError(
            f"{where}: replies need a scale to be read on; give --rubric ID, or --scale {head.dimension}=1:5"
        )
    if logprobs:
        distribution = from_tokens(_logprobs(logprobs, where), scale)
        if distribution.score is not None and (distribution.covered >= min_mass or not replies):
            if distribution.covered < min_mass:
                reason = f"labels cover {distribution.covered:.2f} of the probability"
                return replace(head, reason=reason, method="logprobs")
            return replace(head, score=distribution.score, method="logprobs")
        if not replies:
            return replace(head, reason="no label among the log-probabilities", method="logprobs")
    return _of_replies(replies, scale, head)


def _of_replies(replies: Sequence[str], scale: Scale, head: Judged) -> Judged:
    readings = [read_reply(text, scale, head.dimension) for text in replies]
    values = tuple(reading.value for reading in readings if reading.value is not None)
    reasons = Counter(reading.reason for reading in readings if reading.value is None)
    judged = replace(
        head,
        responses=tuple(replies),
        parsed=values,
        unread={str(reason): count for reason, count in reasons.most_common()},
        method="samples" if len(replies) > 1 else "reply",
    )
    if not values:
        return replace(judged, reason=str(reasons.most_common(1)[0][0]) if reasons else "empty")
    return replace(judged, score=math.fsum(values) / len(values))


def _plain(row: JsonObject, scale: Scale | None, head: Judged) -> Judged:
    score = row["score"]
    if isinstance(score, str):
        try:
            score = float(score)
        except ValueError:
            return replace(head, reason="unparsed")
    if score is None:
        return replace(head, reason=str(row.get("reason") or row.get("missing") or "no score"))
    if isinstance(score, bool) or not isinstance(score, int | float) or not math.isfinite(score):
        return replace(head, reason="not a number")
    if abs(score) > FARTHEST:
        return replace(head, reason="off every scale")
    if scale is not None and score not in scale:
        return replace(head, reason="off the scale")
    return replace(head, score=float(score), method=str(row.get("method", "score")))


def read_labels(path: Path) -> dict[tuple[str, str], list[float]]:
    """Ratings by people, by item and dimension. Several lines of one item are from several people."""
    labels: dict[tuple[str, str], list[float]] = {}
    for number, row in read_objects(path, "--labels"):
        where = f"--labels {path}:{number}"
        if "human" not in row:
            raise ConfigError(f"{where}: no `human`{_nearly('human', row)}; a number or a list of numbers is wanted")
        given = row["human"] if isinstance(row["human"], list) else [row["human"]]
        numbers = labels.setdefault((_text(row, "item", where), _text(row, "dimension", where)), [])
        for value in given:
            if value is None:
                numbers.append(math.nan)  # this person did not rate it; each person keeps a place in the list
            elif isinstance(value, bool) or not isinstance(value, int | float):
                raise ConfigError(f"{where}: human is {str(value)[:80]!r}; a number is wanted")
            elif math.isfinite(value) and abs(value) > FARTHEST:
                raise ConfigError(f"{where}: human is {value:g}; a rating is wanted")
            else:
                numbers.append(float(value) if math.isfinite(value) else math.nan)
    rated = {key: values for key, values in labels.items() if any(math.isfinite(v) for v in values)}
    if not rated:
        raise ConfigError(f"--labels {path} holds no label" + (" that is a number" if labels else ""))
    return rated


def _replies(row: JsonObject, where: str) -> list[str]:
    replies = row.get("responses")
    if replies is None:
        return []
    if isinstance(replies, str):
        return [replies]
    if not isinstance(replies, list):
        raise ConfigError(f"{where}: responses is a {type(replies).__name__}; a list of texts is wanted")
    return ["" if reply is None else str(reply) for reply in replies]


def _logprobs(value: Any, where: str) -> dict[str, float]:
    pairs = value.items() if isinstance(value, Mapping) else value
    if isinstance(pairs, list) and all(isinstance(entry, Mapping) for entry in pairs):
        pairs = [(entry.get("token"), entry.get("logprob")) for entry in pairs]  # as the OpenAI API writes them
    try:
        logprobs = {str(token): float(logprob) for token, logprob in pairs}
    except (TypeError, ValueError, OverflowError):
        raise ConfigError(f"{where}: top_logprobs is not a mapping of tokens to log-probabilities") from None
    for token, logprob in logprobs.items():
        if not logprob <= _ROUNDING:
            raise ConfigError(f"{where}: the log-probability of {token!r} is {logprob:g}; none lies above 0")
    return logprobs


def _text(row: JsonObject, name: str, where: str) -> str:
    if row.get(name) is None:
        raise ConfigError(f"{where}: no `{name}`{_nearly(name, row)}")
    return str(row[name])


def _optional(value: Any) -> str | None:
    return None if value is None else str(value)


def _almost(row: JsonObject) -> str:
    return next(filter(None, (_nearly(name, row) for name in ("score", "top_logprobs", "responses"))), "")


def _nearly(name: str, row: JsonObject) -> str:
    """Names a key of the row that is spelt almost like the one that is wanted."""
    near = nearest(name, [key for key in row if key != name], 1)
    return near.replace("; did you mean ", "; the row has `").replace("?", "`") if near else ""
