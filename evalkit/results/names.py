"""Names from outside become file names here, and run-ids are made."""

from __future__ import annotations

import datetime
import re
import secrets
import unicodedata
from hashlib import blake2b
from pathlib import Path

from evalkit.errors import UsageError

__all__ = ["check_name", "is_plain", "judgments_file", "member_id", "model_slug", "new_run_id", "run_path", "slug"]

_PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,99}")
_KEPT = 80


def is_plain(name: str) -> bool:
    """Whether a name can stand in a path as it is."""
    return _PLAIN.fullmatch(name) is not None


def slug(name: str) -> str:
    """The name itself where it is plain; else what is left of it in ASCII, and a hash that keeps two apart."""
    if is_plain(name):
        return name
    ascii_only = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    # The end of a path says more than its beginning.
    words = re.sub(r"[^A-Za-z0-9._+-]+", "-", ascii_only).strip("-._+")[-_KEPT:].lstrip("-._+")
    digest = blake2b(name.encode("utf-8", "surrogatepass"), digest_size=4).hexdigest()
    return f"{words}-{digest}" if words else f"x-{digest}"


def check_name(name: str) -> str:
    """A `--name`, if it can be a folder's name."""
    if not is_plain(name):
        raise UsageError(
            f"--name {name!r} can't name a folder: use letters, digits and . _ + - (100 at most, a letter or digit"
            f" first), for instance --name {slug(name)}"
        )
    return name


def new_run_id(now: datetime.datetime | None = None) -> str:
    """UTC time and four hex digits, such as 20261121T080008Z-3fa9."""
    moment = now or datetime.datetime.now(datetime.UTC)
    return f"{moment.astimezone(datetime.UTC):%Y%m%dT%H%M%SZ}-{secrets.token_hex(2)}"


def member_id(run_id: str, part: str) -> str:
    """The run-id of one model or adapter among several: X+NAME."""
    return slug(f"{run_id}+{slug(part)}")


def model_slug(typed: str, adapter: str | None = None) -> str:
    """The folder of a model's runs: the model as it was typed, and its adapter."""
    return slug(typed) if adapter is None else slug(f"{slug(typed)}+{slug(adapter)}")


def run_path(root: Path | str, model: str, run_id: str) -> Path:
    """Where the run of a model slug stands below a results folder."""
    return Path(root) / model / run_id


def judgments_file(name: str) -> Path:
    """Where in a run's folder `<rubric>@<judge>` writes."""
    rubric, at, judge = name.partition("@")
    return Path("judgments") / (slug(rubric) + (f"@{slug(judge)}" if at else "") + ".jsonl")
