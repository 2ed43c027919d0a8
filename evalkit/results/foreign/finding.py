"""What a path of another tool holds: one run, several, or nothing that is known."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from evalkit.errors import RunFolderError, UnknownRun, UsageError
from evalkit.results.foreign import inspectai, lmeval
from evalkit.results.foreign.inspect_log import Log, is_log, looks_like_log, read_log
from evalkit.results.foreign.reading import parse, read_bytes
from evalkit.results.foreign.run import ForeignRun

__all__ = ["EXPECTED", "find_foreign", "find_foreign_below", "open_foreign"]

EXPECTED = (
    "lm-eval's output folder or results_<date>.json, or inspect_ai's log (.eval or .json) or a folder of its logs"
)


def open_foreign(path: Path) -> ForeignRun | None:
    """The one run that a path holds; None for a folder that holds none. A file that is none is an error."""
    if path.is_file():
        return _open_file(path)
    results, logs = _results_in(path), _logs_in(path)
    if results and logs:
        raise UnknownRun(f"{path} holds results of lm-eval and logs of inspect_ai: name one file of them")
    if len(results) > 1:
        raise UnknownRun(f"{path} holds {len(results)} runs of lm-eval: {_some(results)}; name one of them")
    if results:
        return _lmeval(results[0])
    if logs:
        read = [read_log(log) for log in logs]
        models = list(dict.fromkeys(log.model for log in read))
        if len(models) > 1:
            raise UnknownRun(f"{path} holds logs of {len(models)} models: {', '.join(models[:5])}; name one log file")
        newest = _newest_tries(read)
        tasks = [log.task for log in newest]
        if twice := next((log.task for log in newest if tasks.count(log.task) > 1), None):
            files = [log.path for log in newest if log.task == twice]
            raise UnknownRun(f"{path} holds {len(files)} logs of {twice}: {_some(files)}; name one of them")
        return _inspectai(newest, path)
    return None


def find_foreign(path: Path) -> tuple[list[ForeignRun], list[tuple[Path, str]]]:
    """Every run that a path holds, and the files that are broken, each with what is wrong."""
    if path.is_file():
        return [_open_file(path)], []
    if not path.is_dir():
        raise UnknownRun(f"no file or folder {path}: {EXPECTED} can be read")
    results, log_files = _results_in(path), _logs_in(path)
    if not results and not log_files:
        raise UsageError(f"{path} holds no run: {EXPECTED} can be read")
    return _open_all(results, log_files, path)


def find_foreign_below(path: Path, levels: int = 4) -> tuple[list[ForeignRun], list[tuple[Path, str]]]:
    """Every run in a folder and the folders below it, and what could not be read, each with what is wrong."""
    if not path.is_dir():
        return find_foreign(path)
    runs: list[ForeignRun] = []
    broken: list[tuple[Path, str]] = []
    waiting = [(path, 0)]
    while waiting:
        folder, depth = waiting.pop()
        try:
            files = _files(folder)
            inner = sorted(entry for entry in folder.iterdir() if entry.is_dir() and not entry.name.startswith("."))
            waiting += [(entry, depth + 1) for entry in reversed(inner) if depth < levels]
            results = [file for file in files if lmeval.looks_like_results(file.name)]
            opened = _open_all(results, [file for file in files if looks_like_log(file)], folder, UsageError)
        except (OSError, RunFolderError) as error:
            broken.append((folder, str(error)))
            continue
        runs += opened[0]
        broken += opened[1]
    if not runs and not broken:
        raise UsageError(f"{path} holds no run: {EXPECTED} can be read; evalkit's own runs are named without --import")
    return runs, broken


def _open_all(
    results: Sequence[Path], log_files: Sequence[Path], folder: Path, *left_out: type[Exception]
) -> tuple[list[ForeignRun], list[tuple[Path, str]]]:
    """The runs of these files; a broken one is named, and one with an error of `left_out` too."""
    kinds: tuple[type[Exception], ...] = (RunFolderError, *left_out)
    runs: list[ForeignRun] = []
    broken: list[tuple[Path, str]] = []
    logs: list[Log] = []
    for file in results:
        try:
            runs.append(_lmeval(file))
        except kinds as error:
            broken.append((file, str(error)))
    for file in log_files:
        try:
            logs.append(read_log(file))
        except kinds as error:
            broken.append((file, str(error)))
    for together in _by_run(_newest_tries(logs)):
        try:
            runs.append(_inspectai(together, together[0].path if len(together) < len(log_files) else folder))
        except kinds as error:
            broken.append((together[0].path, str(error)))
    return runs, broken


def _open_file(path: Path) -> ForeignRun:
    if path.suffix == ".eval":
        return _inspectai([read_log(path)], path)
    if path.suffix == ".json":
        content = parse(read_bytes(path), path)
        if is_log(content):
            return _inspectai([read_log(path)], path)
        if lmeval.is_results(content):
            return _lmeval(path)
    raise UsageError(f"{path} is no run that evalkit reads: {EXPECTED}, or a run folder of evalkit's own")


def _lmeval(path: Path) -> ForeignRun:
    with _one_line(path):
        return lmeval.read(path)


def _inspectai(logs: Sequence[Log], path: Path) -> ForeignRun:
    with _one_line(path):
        return inspectai.read(logs, path)


@contextmanager
def _one_line(path: Path) -> Iterator[None]:
    """Anything may stand in a file from elsewhere: what no reader thought of is the file's fault all the same."""
    try:
        yield
    except (AttributeError, IndexError, KeyError, OverflowError, RecursionError, TypeError, ValueError) as error:
        what = f"{type(error).__name__}: {error}".splitlines()[0][:160]
        raise RunFolderError(f"{path} has not the layout that its maker writes ({what})") from error


def _results_in(folder: Path) -> list[Path]:
    """In the folder itself, or in the model's folders that lm-eval makes in it."""
    return _found(folder, lambda file: lmeval.looks_like_results(file.name))


def _logs_in(folder: Path) -> list[Path]:
    """In the folder itself, or in those that somebody sorted them into."""
    return _found(folder, looks_like_log)


def _found(folder: Path, meant: Callable[[Path], bool]) -> list[Path]:
    here = [file for file in _files(folder) if meant(file)]
    below = (entry for entry in sorted(folder.iterdir()) if entry.is_dir() and not entry.name.startswith("."))
    return here or [file for inner in below for file in _files(inner) if meant(file)]


def _files(folder: Path) -> list[Path]:
    try:
        return sorted(entry for entry in folder.iterdir() if entry.is_file() and not entry.name.startswith("."))
    except OSError as error:
        raise RunFolderError(f"{folder} can't be read: {error.strerror or error}") from None


def _newest_tries(logs: Sequence[Log]) -> list[Log]:
    """A log that was retried stands there again, under the same task id: the last try counts."""
    tries: dict[str, Log] = {}
    for log in sorted(logs, key=lambda log: log.created):
        tries[f"{log.model}\0{log.spec.get('task_id') or log.path}"] = log
    return list(tries.values())


def _by_run(logs: Sequence[Log]) -> list[list[Log]]:
    """Logs of one model that were made together; one for each task."""
    runs: dict[tuple[str, str], list[Log]] = {}
    for log in logs:
        together = log.spec.get("eval_set_id") or log.spec.get("run_id") or log.path
        runs.setdefault((log.model, str(together)), []).append(log)
    split: list[list[Log]] = []
    for logs_of_run in runs.values():
        tasks = [log.task for log in logs_of_run]
        split += [logs_of_run] if len(set(tasks)) == len(tasks) else [[log] for log in logs_of_run]
    return split


def _some(paths: Sequence[Path], most: int = 4) -> str:
    more = len(paths) - most
    return ", ".join(str(path) for path in paths[:most]) + (f" and {more} more" if more > 0 else "")
