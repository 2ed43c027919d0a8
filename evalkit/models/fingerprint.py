"""Fingerprints of models, from the content of their files.

Fine-tuning runs overwrite `./my-finetune`, so a path does not identify a model. Hashing gigabytes for every run would
be slow, so each file's digest is cached under its path, inode, size and modification time.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from evalkit.errors import CheckpointError
from evalkit.models.files import read_json
from evalkit.usercache import user_cache, write_cache

__all__ = ["fingerprint", "fingerprint_adapter", "model_fingerprint"]

_CHUNK = 8 << 20
_SETTLED = 2.0
"""The digest of a file that changed less than this many seconds ago is not cached: it may change again within the
resolution of its timestamp."""

_WEIGHTS = ("*.safetensors", "pytorch_model*.bin", "adapter_model.bin", "*.gguf")
_SHAPING = ("config.json", "generation_config.json", "adapter_config.json")
_TEXT = ("tokenizer.json", "tokenizer.model", "spiece.model", "vocab.json", "vocab.txt", "merges.txt")
_NOISE = ("_name_or_path", "transformers_version", "base_model_name_or_path", "inference_mode", "peft_version")


def fingerprint(path: Path, cache_dir: Path | None = None) -> str:
    """32 hex digits from weights, configs and vocabulary: all files of the folder that can change an answer."""
    return _fingerprint(path, (*_WEIGHTS, *_TEXT), cache_dir)


def fingerprint_adapter(path: Path, cache_dir: Path | None = None) -> str:
    """The fingerprint of a peft adapter. The path of its base model is not part of it."""
    return _fingerprint(path, _WEIGHTS, cache_dir)


def _fingerprint(path: Path, patterns: Iterable[str], cache_dir: Path | None) -> str:
    files = sorted({file for pattern in patterns for file in path.glob(pattern)})
    if not any(file.match(pattern) for file in files for pattern in _WEIGHTS):
        raise CheckpointError(f"{path} has no weight files to fingerprint")
    digest = hashlib.blake2b(digest_size=16)
    for file, content in zip(files, _digests(files, cache_dir), strict=True):
        digest.update(f"{file.name}\0{content}\n".encode())
    for name in _SHAPING:
        file = path / name
        if file.is_file():
            digest.update(f"{name}\0{_canonical(file)}\n".encode())
    return digest.hexdigest()


def _canonical(file: Path) -> str:
    """A config as JSON, without entries that do not affect the model, such as paths and versions."""
    content = {key: value for key, value in read_json(file).items() if key not in _NOISE}
    return json.dumps(content, sort_keys=True)


def model_fingerprint(weights: str, **parts: str | None) -> str:
    """One fingerprint of everything that determines a model's answers.

    `weights`: the fingerprint of the files. `parts`: revision, adapter (its fingerprint, not its name), dtype (as
    loaded, never `auto`), quantization, tokenizer, and engine settings that change answers; None is left out.
    """
    given = {name: value for name, value in sorted(parts.items()) if value is not None}
    return hashlib.blake2b(json.dumps([weights, given]).encode(), digest_size=20).hexdigest()


# ── digests of files, cached ─────────────────────────────────────────────────


def _digests(files: list[Path], cache_dir: Path | None) -> list[str]:
    folder = cache_dir or user_cache()
    store = folder / "fingerprints.json" if folder is not None else None
    cached = _read(store)
    fresh: dict[str, list[object]] = {}

    def digest(file: Path) -> str:
        before = _identity(file)
        entry = cached.get(str(file.absolute()))
        if entry is not None and entry[:3] == before:
            return str(entry[3])
        content = _hash(file)
        if _identity(file) == before and time.time() - before[2] / 1e9 > _SETTLED:
            fresh[str(file.absolute())] = [*before, content]
        return content

    with ThreadPoolExecutor(max_workers=4) as pool:
        digests = list(pool.map(digest, files))
    if fresh and store is not None:
        write_cache(store, json.dumps({**_read(store), **fresh}).encode())
    return digests


def _identity(file: Path) -> list[int]:
    stat = file.stat()
    return [stat.st_ino, stat.st_size, stat.st_mtime_ns]


def _hash(file: Path) -> str:
    digest = hashlib.blake2b(digest_size=16)
    try:
        with file.open("rb", buffering=0) as stream:
            while chunk := stream.read(_CHUNK):
                digest.update(chunk)
    except OSError as error:
        raise CheckpointError(f"cannot read {file}: {error.strerror}") from None
    return digest.hexdigest()


def _read(store: Path | None) -> dict[str, list[object]]:
    if store is None:
        return {}
    try:
        content = json.loads(store.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    if not isinstance(content, dict):
        return {}
    return {path: entry for path, entry in content.items() if isinstance(entry, list) and len(entry) == 4}
