"""Names from outside become file names here, and run-ids are made."""

from __future__ import annotations

import datetime
import re
import secrets
import unicodedata
from hashlib import blake2b
from pathlib import Path

from evalkit.errors import UsageError

__all__ = [
    "check_name",
    "is_plain",
    "judgments_file",
    "member_id",
    "model_slug",
    "new_run_id",
    "older_slug",
    "run_path",
    "slug",
]

_SIGNS = "._+-"
_MOST_CHARACTERS, _MOST_BYTES = 100, 200
_KEPT_CHARACTERS, _KEPT_BYTES = 80, 180
_OLDER_PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,99}")


def is_plain(name: str) -> bool:
    """Whether a name can stand in a path as it is: letters and digits of any script and . _ + -, composed (NFC)."""
    return (
        0 < len(name) <= _MOST_CHARACTERS
        and all(_is_kept(character) for character in name)
        and _is_letter(name[0])
        and len(name.encode()) <= _MOST_BYTES
        and unicodedata.is_normalized("NFC", name)
    )


def slug(name: str) -> str:
    """The name itself where it is plain; else what is left of it, and a hash that keeps two apart."""
    composed = unicodedata.normalize("NFC", name)
    if is_plain(composed):
        return composed
    kept = "".join(character if _is_kept(character) else "-" for character in composed)
    # The end of a path says more than its beginning.
    words = re.sub(r"-+", "-", kept).strip("-._+")[-_KEPT_CHARACTERS:]
    while words and (not _is_letter(words[0]) or len(words.encode()) > _KEPT_BYTES):
        words = words[1:]
    return f"{words}-{_digest(composed)}" if words else f"x-{_digest(composed)}"


def older_slug(name: str) -> str:
    """What an older evalkit made of the name: it kept ASCII alone."""
    if _OLDER_PLAIN.fullmatch(name):
        return name
    ascii_only = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    words = re.sub(r"[^A-Za-z0-9._+-]+", "-", ascii_only).strip("-._+")[-_KEPT_CHARACTERS:].lstrip("-._+")
    return f"{words}-{_digest(name)}" if words else f"x-{_digest(name)}"


def check_name(name: str) -> str:
    """A `--name`, if it can be a folder's name."""
    composed = unicodedata.normalize("NFC", name)
    if not is_plain(composed):
        raise UsageError(
            f"--name {name!r} can't name a folder: use letters, digits and . _ + - (100 characters and 200 bytes at"
            f" most, a letter or digit first), for instance --name {slug(name)}"
        )
    return composed


def new_run_id(now: datetime.datetime | None = None) -> str:
    """UTC time and four hex digits, such as 20261121T080008Z-3fa9."""
    moment = now or datetime.datetime.now(datetime.UTC)
    return f"{moment.astimezone(datetime.UTC):%Y%m%dT%H%M%SZ}-{secrets.token_hex(2)}"


def member_id(run_id: str, part: str) -> str:
    """The run-id of one model or adapter among several: X+NAME. Of a path or hub id the last part is enough."""
    return slug(f"{run_id}+{part.rstrip('/').rpartition('/')[2] or part}")


def model_slug(typed: str, adapter: str | None = None) -> str:
    """The folder of a model's runs: the model as it was typed, and its adapter."""
    return slug(typed) if adapter is None else slug(f"{slug(typed)}+{slug(adapter)}")


def run_path(root: Path | str, model: str, run_id: str) -> Path:
    """Where the run of a model slug stands below a results folder."""
    return Path(root) / model / run_id


def judgments_file(name: str, *, older: bool = False) -> Path:
    """Where in a run's folder `<rubric>@<judge>` writes."""
    made = older_slug if older else slug
    rubric, at, judge = name.partition("@")
    return Path("judgments") / (made(rubric) + (f"@{made(judge)}" if at else "") + ".jsonl")


def _is_kept(character: str) -> bool:
    # Marks are part of many scripts' letters. A character of another kind may turn text around or be invisible.
    return character in _SIGNS or unicodedata.category(character)[0] in "LM" or unicodedata.category(character) == "Nd"


def _is_letter(character: str) -> bool:
    return character not in _SIGNS and unicodedata.category(character)[0] in "LN"


def _digest(name: str) -> str:
    return blake2b(name.encode("utf-8", "surrogatepass"), digest_size=4).hexdigest()
