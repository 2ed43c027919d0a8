"""Loads data sets from a mirror with the hub's layout, otherwise from the hub."""

from __future__ import annotations

import contextlib
import errno
import functools
import hashlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from evalkit.errors import ConfigError, DataNotFound, OutputError
from evalkit.registry.localdata import READERS, check_builder
from evalkit.types import Arguments
from evalkit.yamlfile import compose_yaml, construct_yaml

__all__ = ["DataSource", "is_hub_id", "mirror_configs", "offline_if_unreachable", "quiet"]

_REACH_SECONDS = 4.0


@dataclass(frozen=True, slots=True)
class DataSource:
    """Loads a data set by its hub id from `data_dir`, or from the hub if the mirror does not have it."""

    data_dir: Path | None = None
    _described: dict[str, Any] = field(default_factory=dict, repr=False, compare=False)
    """The description that `datasets` made of a mirror's folder, so that MMLU's README is not read 57 times."""

    def local(self, path: str) -> Path | None:
        """The mirror's folder for a hub id."""
        if self.data_dir is None or not is_hub_id(path):
            return None
        folder = self.data_dir / path
        return folder if folder.is_dir() else None

    def load(
        self,
        path: str,
        name: str | None,
        options: Arguments,
        task: str,
        folders: Sequence[Path] | None = None,
    ) -> Any:
        """The result of `datasets.load_dataset(path, name, **options)`, or DataNotFound in one line.

        `folders`: the folders in which local files may be read; None: any.
        """
        if self.data_dir is not None and not self.data_dir.is_dir():
            raise DataNotFound(f"--data-dir {self.data_dir}: no such folder")
        folder = self.local(path)
        if folders is None:
            return self._load(folder, path, name, options, task)
        known = [*folders, folder.resolve()] if folder is not None else folders
        checked = _confine(str(folder or path), name, options, task, known)
        loaded = self._load(folder, path, name, options, task)
        if not checked:
            raise ConfigError(f"{task}: which files its data come from cannot be told; type --allow-task-code")
        return loaded

    def _load(self, folder: Path | None, path: str, name: str | None, options: Arguments, task: str) -> Any:
        import datasets

        with quiet():
            if folder is not None:
                return self._from_mirror(folder, path, name, options, task)
            if not is_hub_id(path) or Path(path).is_dir():
                return _from_files(path, name, options, task)
            with offline_if_unreachable() as offline:
                try:
                    return datasets.load_dataset(path, name, **options)
                except Exception as error:
                    raise DataNotFound(self._in_neither(path, name, task, offline, error)) from error

    def _from_mirror(self, folder: Path, path: str, name: str | None, options: Arguments, task: str) -> Any:
        import datasets

        configs = mirror_configs(folder)
        if name is not None and configs and name not in configs:
            raise DataNotFound(
                f"{task}: {folder} holds no config {name!r} of {path} ({len(configs)} others); "
                f"evalkit data pull {task} --to {self.data_dir} fetches it"
            )
        try:
            with _described_once(self._described):
                return datasets.load_dataset(str(folder), name, **options)
        except Exception as error:
            _blame_cache(error)
            raise DataNotFound(
                f"{task}: {folder} is broken or half-copied ({_first_line(error)}); "
                f"remove it and type evalkit data pull {task} --to {self.data_dir}"
            ) from error

    def _in_neither(self, path: str, name: str | None, task: str, offline: bool, error: Exception) -> str:
        wanted = f"{path} ({name})" if name else path
        mirror = f"not in {self.data_dir}" if self.data_dir else "no --data-dir was given"
        hub = "the hub cannot be reached" if offline else f"the hub does not give it ({_first_line(error)})"
        return (
            f"{task}: data set {wanted} not found: {mirror}, and {hub}; "
            f"on a machine that reaches the hub, evalkit data pull {task} --to DIR makes a mirror for --data-dir DIR"
        )


@contextlib.contextmanager
def _described_once(modules: dict[str, Any]) -> Iterator[None]:
    """Make `datasets` describe a folder once, and key its cache by the files' content.

    Its own key for a local folder depends on the README alone: for another mirror with the same README, or for the
    same mirror with a changed file, it would use the cache of the first.
    """
    import datasets.load

    describe = datasets.load.dataset_module_factory

    def remembered(path: str, *args: Any, **options: Any) -> Any:
        if path not in modules:
            module = describe(path, *args, **options)
            modules[path] = replace(module, hash=_files_key(Path(path), str(module.hash)))
        module = modules[path]
        return replace(module, builder_kwargs=dict(module.builder_kwargs))

    datasets.load.dataset_module_factory = remembered
    try:
        yield
    finally:
        datasets.load.dataset_module_factory = describe


def _files_key(folder: Path, described: str) -> str:
    key = hashlib.sha256(described.encode())
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            known = path.stat()
            key.update(f"{path.resolve()}\0{known.st_size}\0{known.st_mtime_ns}\n".encode())
    return key.hexdigest()[:16]


@functools.lru_cache(maxsize=64)
def mirror_configs(folder: Path) -> dict[str, list[tuple[str, str]]]:
    """Config name → (split, file pattern), as the front matter of the folder's README declares them."""
    readme = folder / "README.md"
    if not readme.is_file():
        return {}
    parts = re.split(r"^---\s*$", readme.read_text(encoding="utf-8", errors="replace"), maxsplit=2, flags=re.M)
    if len(parts) < 3:
        return {}
    try:
        node = compose_yaml(parts[1], str(readme))
        front = None if node is None else construct_yaml(node, str(readme))
    except ConfigError:
        return {}
    entries = front.get("configs") if isinstance(front, dict) else None
    configs: dict[str, list[tuple[str, str]]] = {}
    for entry in entries if isinstance(entries, list) else ():
        if not isinstance(entry, dict):
            continue
        files = entry.get("data_files") or []
        if isinstance(files, str):
            files = [{"split": "train", "path": files}]
        pairs: list[tuple[str, str]] = []
        for item in files if isinstance(files, list) else ():
            if isinstance(item, dict) and "path" in item and "split" in item:
                paths = item["path"] if isinstance(item["path"], list) else [item["path"]]
                pairs += [(str(item["split"]), str(path)) for path in paths]
        configs[str(entry.get("config_name", "default"))] = pairs
    return configs


@contextlib.contextmanager
def offline_if_unreachable() -> Iterator[bool]:
    """Switch to offline mode if the hub does not answer, so that there are no minutes of retries."""
    import datasets.config
    import huggingface_hub.constants as hub

    if hub.HF_HUB_OFFLINE or _hub_answers(hub.ENDPOINT):
        yield bool(hub.HF_HUB_OFFLINE)
        return
    before = hub.HF_HUB_OFFLINE, datasets.config.HF_HUB_OFFLINE
    hub.HF_HUB_OFFLINE = datasets.config.HF_HUB_OFFLINE = True
    try:
        yield True
    finally:
        hub.HF_HUB_OFFLINE, datasets.config.HF_HUB_OFFLINE = before


@functools.lru_cache(maxsize=1)
def _hub_answers(endpoint: str) -> bool:
    import urllib.error
    import urllib.request

    request = urllib.request.Request(endpoint, method="HEAD")
    try:
        with urllib.request.urlopen(request, timeout=_REACH_SECONDS):
            return True
    except urllib.error.HTTPError:
        return True
    except (OSError, ValueError):
        return False


def is_hub_id(path: str) -> bool:
    """`org/name` or a legacy bare name; never one of the file builders (json, csv …) and never a path."""
    from datasets.packaged_modules import _PACKAGED_DATASETS_MODULES as builders

    return path not in builders and re.fullmatch(r"[\w][\w.-]*(/[\w][\w.-]*)?", path) is not None


_NOT_OF_A_BUILDER = ("split", "streaming", "num_proc", "keep_in_memory", "save_infos", "verification_mode")


def _confine(path: str, name: str | None, options: Arguments, task: str, folders: Sequence[Path]) -> bool:
    """Raise if the data set would be read from a place that is not allowed. False if that is not known yet."""
    import datasets

    if not is_hub_id(path) and not Path(path).is_dir() and path not in READERS:
        raise ConfigError(
            f"{task}: dataset_path {path!r} is not read without --allow-task-code: it is no data set of the hub, no "
            f"folder beside the task file and none of {', '.join(READERS)}"
        )
    of_builder = {key: value for key, value in options.items() if key not in _NOT_OF_A_BUILDER}
    with quiet(), offline_if_unreachable() if is_hub_id(path) else contextlib.nullcontext():
        try:
            builder = datasets.load_dataset_builder(path, name, **of_builder)
        except Exception:
            return False
    check_builder(builder, folders, task)
    return True


def _from_files(path: str, name: str | None, options: Arguments, task: str) -> Any:
    import datasets

    try:
        return datasets.load_dataset(path, name, **options)
    except StopIteration as error:
        files = options.get("data_files") or path
        raise DataNotFound(f"{task}: data {files} has no rows") from error
    except Exception as error:
        files = options.get("data_files") or options.get("data_dir") or path
        raise DataNotFound(f"{task}: data {files} cannot be read ({_first_line(error)})") from error


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Turn off the library's progress bars: evalkit has its own."""
    import datasets

    shown = datasets.utils.are_progress_bars_disabled() is False
    datasets.disable_progress_bars()
    try:
        yield
    finally:
        if shown:
            datasets.enable_progress_bars()


def _blame_cache(error: BaseException) -> None:
    """An error about the cache folder, if it was not the data set that caused the error."""
    import datasets.config

    root = _root(error)
    if isinstance(root, OSError) and root.errno in (errno.EACCES, errno.EROFS, errno.ENOSPC, errno.EPERM):
        cache = datasets.config.HF_DATASETS_CACHE
        raise OutputError(
            f"the data cache {cache} cannot be written ({root.strerror}); set HF_DATASETS_CACHE"
        ) from error


def _root(error: BaseException) -> BaseException:
    while error.__cause__ is not None:
        error = error.__cause__
    return error


def _first_line(error: BaseException) -> str:
    cause = _root(error)
    text = " ".join(str(cause).split())
    return f"{type(cause).__name__}: {text[:160]}" if text else type(cause).__name__
