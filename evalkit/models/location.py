"""Finds the folder of a model or adapter: a local one, or one downloaded from the hub."""

from __future__ import annotations

import os
import re
from pathlib import Path

from evalkit.errors import CheckpointError, UnknownModel, nearest

__all__ = ["AGAIN", "locate"]

_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*(/[A-Za-z0-9][\w.-]*)?")
AGAIN = "run the same command again where the hub can be reached, and it goes on."
_HEAVY = (".safetensors", ".bin", ".pt", ".pth", ".h5", ".msgpack", ".gguf", ".onnx", ".ckpt", ".tflite", ".ot")


def locate(source: str, revision: str | None, what: str) -> tuple[Path, bool]:
    """The local folder, and whether it came from the hub. Raises UnknownModel if there is none."""
    path = Path(source).expanduser()
    if path.is_file():
        raise CheckpointError(f"{path} is a file: give the folder that holds config.json and the weights.")
    if path.is_dir():
        return path, False
    if source.startswith(("/", ".", "~")) or not _HUB_ID.fullmatch(source):
        raise UnknownModel(f"no {what} {source!r}: there is no such folder{_beside(path)}")
    return _download(source, revision, what), True


def _beside(path: Path) -> str:
    try:
        names = [entry.name for entry in path.parent.iterdir() if entry.is_dir()]
    except OSError:
        return ""
    return nearest(path.name, names)


def _download(source: str, revision: str | None, what: str) -> Path:
    try:
        from huggingface_hub import errors as hub
        from huggingface_hub import snapshot_download
    except ImportError:
        raise UnknownModel(
            f"no {what} {source!r}: there is no such folder, and hub ids need huggingface_hub; "
            "type `pip install 'lm-evalkit[hf]'`"
        ) from None
    offline = os.environ.get("HF_HUB_OFFLINE", "").lower() in {"1", "true", "yes", "on"}
    try:
        if not offline:
            return Path(snapshot_download(source, revision=revision, allow_patterns=_patterns(source, revision)))
    except hub.GatedRepoError:
        raise CheckpointError(
            f"{source} is gated: accept its terms on https://huggingface.co/{source} and set HF_TOKEN."
        ) from None
    except hub.RevisionNotFoundError:
        raise UnknownModel(f"{source} has no revision {revision!r}; see https://huggingface.co/{source}/tree") from None
    except hub.RepositoryNotFoundError:
        raise UnknownModel(
            f"no {what} {source!r}: there is no such folder and no such hub repository (a private one needs HF_TOKEN)"
        ) from None
    except Exception as error:
        # No network, a proxy, a timeout: an earlier download may still be complete.
        reason = f"the hub cannot be reached ({type(error).__name__})"
    else:
        reason = "HF_HUB_OFFLINE is set"
    try:
        return Path(snapshot_download(source, revision=revision, local_files_only=True))
    except Exception:
        wanted = f"{source!r}" + (f" at revision {revision!r}" if revision else "")
        raise UnknownModel(
            f"no {what} {wanted}: there is no such folder, it is not in the local hub cache, and {reason}"
            f"{_beside(Path(source))}"
        ) from None


def _patterns(source: str, revision: str | None) -> list[str]:
    """The files to download: the weights in one format only, safetensors if there are any, else PyTorch's."""
    from huggingface_hub import list_repo_files

    files = list_repo_files(source, revision=revision)
    weights = "*.safetensors" if any(f.endswith(".safetensors") and "/" not in f for f in files) else "*.bin"
    return [f for f in files if "/" not in f and (not f.endswith(_HEAVY) or f.endswith(weights[1:]))]
