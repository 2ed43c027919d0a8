"""What flags hold as text, and files and Python as values: pairs, limits, seeds, adapters, task names."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evalkit.arguments import split_list
from evalkit.errors import UsageError

__all__ = [
    "Seeds",
    "Shard",
    "parse_adapter",
    "parse_adapters",
    "parse_batch_size",
    "parse_boolean",
    "parse_cluster",
    "parse_limit",
    "parse_pairs",
    "parse_replicas",
    "parse_seeds",
    "parse_shard",
    "parse_template",
    "split_tasks",
]


@dataclass(frozen=True, slots=True)
class Seeds:
    """lm-eval's four, in its order, with its defaults."""

    random: int = 0
    numpy: int = 1234
    torch: int = 1234
    fewshot: int = 1234


_TABLES = (".csv", ".tsv", ".jsonl", ".ndjson", ".json", ".parquet")


def split_tasks(value: str | Path | Sequence[str]) -> tuple[str, ...]:
    """As `split_list`; a comma inside the name of a file that exists does not part it."""
    names: list[str] = []
    for text in [str(value)] if isinstance(value, str | Path) else [str(part) for part in value]:
        parts = text.split(",")
        while parts:
            count = next((n for n in range(len(parts), 1, -1) if _is_one_file(",".join(parts[:n]))), 1)
            names.append(",".join(parts[:count]).strip())
            parts = parts[count:]
    return tuple(dict.fromkeys(name for name in names if name))


def _is_one_file(text: str) -> bool:
    path = text.strip()
    kind, colon, behind = path.partition(":")
    if colon and kind.isidentifier():  # a file of some kind: alpaca:FILE, squad:FILE?rules=korquad
        path = behind.partition("?")[0]
    elif not path.lower().endswith(_TABLES):
        return False
    try:
        return Path(path).expanduser().is_file()
    except (OSError, ValueError, RuntimeError):
        return False


def parse_pairs(value: str | Sequence[str] | Mapping[str, Any] | None, flag: str) -> dict[str, Any]:
    """`k=v,k=v` with lm-eval's reading of numbers, true, false and none."""
    if value is None:
        return {}
    if isinstance(value, Mapping):
        return dict(value)
    text = value if isinstance(value, str) else ",".join(value)
    pairs: dict[str, Any] = {}
    for part in filter(None, (part.strip() for part in text.split(","))):
        key, equals, raw = part.partition("=")
        if not equals or not key.strip():
            raise UsageError(f"{flag} {text}: {part!r} is not of the form key=value")
        pairs[key.strip()] = _literal(raw)
    return pairs


def parse_limit(value: str | float | None) -> float | None:
    if value is None:
        return None
    try:
        limit = float(value)
    except (TypeError, ValueError):
        raise UsageError(f"--limit {value}: a number of documents, or a share of them between 0 and 1") from None
    if not limit > 0 or limit == float("inf"):
        raise UsageError(f"--limit {value}: must be above 0; leave it out to run all documents")
    if limit > 1 and not limit.is_integer():
        raise UsageError(f"--limit {value}: above 1 it is a number of documents, and that is a whole number")
    return limit


def parse_batch_size(value: str | int) -> str:
    text = str(value).strip().lower()
    if text.partition(":")[0] != "auto" and not (text.isascii() and text.isdigit() and int(text) > 0):
        raise UsageError(f"--batch-size {value}: auto, or the most rows at once, 1 or more")
    return text


@dataclass(frozen=True, slots=True)
class Shard:
    """One of several runs that share the documents: number `index`, from 1, of `count`."""

    index: int
    count: int

    def __str__(self) -> str:
        return f"{self.index}/{self.count}"


_SLURM = ("SLURM_ARRAY_TASK_ID", "SLURM_ARRAY_TASK_MIN", "SLURM_ARRAY_TASK_COUNT", "SLURM_ARRAY_TASK_MAX")


def parse_shard(value: str | Shard | None) -> Shard | None:
    """`2/8`, or `slurm`: the place of this task in its job array."""
    if value is None or isinstance(value, Shard):
        return value
    text = str(value).strip().lower()
    if text == "slurm":
        return _slurm_shard()
    index, slash, count = text.partition("/")
    if not slash or not all(part.isascii() and part.isdigit() and len(part) < 7 for part in (index, count)):
        raise UsageError(f"--shard {value}: I/N, as in --shard 1/8, or slurm")
    if not 1 <= int(index) <= int(count):
        raise UsageError(f"--shard {value}: shards are numbered from 1 to {count}")
    return Shard(int(index), int(count))


def _slurm_shard() -> Shard:
    values = [os.environ.get(name, "") for name in _SLURM]
    if not all(value.isascii() and value.isdigit() for value in values):
        missing = next(name for name, value in zip(_SLURM, values, strict=True) if not (value and value.isdigit()))
        raise UsageError(f"--shard slurm: {missing} is not set; it is in a job that sbatch --array=1-8 starts")
    task, first, count, last = map(int, values)
    if last - first + 1 != count:
        raise UsageError(
            f"--shard slurm: the job array runs from {first} to {last} and has {count} tasks, so it has gaps;"
            " start it as --array=1-N without gaps"
        )
    return Shard(task - first + 1, count)


def parse_cluster(value: str | None) -> str | None:
    """`auto`, or HOST:PORT."""
    if value is None or (text := str(value).strip()).lower() == "auto":
        return value and "auto"
    if "://" in text:
        raise UsageError(
            f"--cluster {value}: Ray Client is not supported; run evalkit on a machine of the cluster and give "
            "--cluster auto, or HOST:PORT of its head"
        )
    host, _, port = text.rpartition(":")
    if not host or len(text.split()) > 1 or not (port.isascii() and port.isdigit() and 0 < int(port[:9]) < 65536):
        raise UsageError(f"--cluster {value}: auto, or HOST:PORT of the head of a Ray cluster, as in 10.0.0.1:6379")
    return text


def parse_replicas(value: str | int | None) -> int | str | None:
    if value is None:
        return None
    text = str(value).strip().lower()
    if text == "auto":
        return text
    if not (text.isascii() and text.isdigit() and 0 < int(text) < 10_000):
        raise UsageError(f"--replicas {value}: auto, or how many copies of the model, 1 or more")
    return int(text)


def parse_seeds(value: str | int | Sequence[Any] | Seeds | None) -> Seeds:
    """One number for all four, or lm-eval's four: random, numpy, torch, few-shot."""
    if value is None or isinstance(value, Seeds):
        return value or Seeds()
    parts = value.split(",") if isinstance(value, str) else [value] if isinstance(value, int) else list(value)
    try:
        numbers = [int(part) for part in parts]
    except (TypeError, ValueError):
        raise UsageError(f"--seed {value}: whole numbers, as in --seed 7 or --seed 0,1234,1234,1234") from None
    if len(numbers) == 1:
        numbers *= 4
    if len(numbers) not in (3, 4) or min(numbers) < 0:
        raise UsageError(f"--seed {value}: one number, or four of them (random, numpy, torch, few-shot), none below 0")
    return Seeds(*numbers)


def parse_adapter(text: str) -> tuple[str, str]:
    """`NAME=PATH`, or a path whose last part is the name."""
    name, equals, path = text.partition("=")
    if not equals:
        name, path = Path(text).expanduser().resolve().name, text
    if not name or not path:
        raise UsageError(f"--adapter {text}: give --adapter PATH or --adapter NAME=PATH")
    return name, path


def parse_adapters(value: Any) -> tuple[tuple[str, str], ...]:
    """`NAME=PATH,PATH`, a list of those or of pairs, or a mapping of names to paths."""
    if isinstance(value, Mapping):
        return tuple((str(name), str(path)) for name, path in value.items())
    parts = [value] if isinstance(value, str | Path) else list(value)
    pairs: list[tuple[str, str]] = []
    for part in parts:
        if isinstance(part, tuple):
            pairs.append((str(part[0]), str(part[1])))
        else:
            pairs += [parse_adapter(text) for text in split_list(str(part))]
    return tuple(pairs)


def _literal(raw: str) -> Any:
    text = raw.strip()
    if len(text) >= 2 and text[0] == text[-1] and text[0] in "'\"":
        return text[1:-1]
    named = {"true": True, "false": False, "none": None}
    if text.lower() in named:
        return named[text.lower()]
    for number in (int, float):
        try:
            return number(text)
        except ValueError:
            continue
    return text


def parse_boolean(value: Any, flag: str) -> bool:
    text = str(value).strip().lower()
    if text in ("true", "1", "yes", "on"):
        return True
    if text in ("false", "0", "no", "off"):
        return False
    raise UsageError(f"{flag} {value}: true or false")


def parse_template(value: Any) -> bool | str:
    """--apply-chat-template: true, false, or the name of one of the model's templates."""
    try:
        return parse_boolean(value, "--apply-chat-template")
    except UsageError:
        return str(value)
