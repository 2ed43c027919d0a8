"""The loop of `evalkit watch`: finds whole checkpoints, evaluates the newest first, judges and reports them."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path, PurePath
from typing import Protocol

from evalkit.curves.axis import in_name
from evalkit.errors import AskedWrong, CouldNotDo, EvalkitError, OutputError, UsageError
from evalkit.results import Run, slug, write_file
from evalkit.training.checkpoints import Checkpoint, find_checkpoints, is_whole, merge_command, signature
from evalkit.training.handover import Saved
from evalkit.training.linking import keep, kept, release
from evalkit.training.memory import Memory, Seen
from evalkit.training.telling import Telling, as_json
from evalkit.training.untold import untold
from evalkit.types import JsonObject

__all__ = ["Evaluated", "Watch", "Watcher"]

_TRIES = 3
"""How often a checkpoint is tried that could not be evaluated. On a full disk it is tried until there is room, but with
`once` not more often than this."""


class Evaluate(Protocol):
    """Evaluates what lies in a folder, under a run's name."""

    def __call__(self, checkpoint: Checkpoint, name: str) -> Run: ...


class Judge(Protocol):
    """The verdict on a run at the given look: pass, regression or cannot_tell."""

    def __call__(self, run: Run, look: int) -> str: ...


@dataclass(frozen=True, slots=True)
class Watch:
    """Which folder is watched, and where the results go."""

    folder: Path
    output_path: Path
    stop_file: Path | None = None
    every: float = 30.0
    """Seconds between two looks at the folder."""
    once: bool = False
    """Evaluate what is there, then end."""

    @property
    def label(self) -> str:
        """What its runs and files are called after: the folder's name."""
        return slug(self.folder.resolve().name)

    @property
    def kept(self) -> Path:
        return self.output_path / ".watch" / self.label

    def file(self, ending: str) -> Path:
        return self.output_path / f"watch-{self.label}{ending}"

    @property
    def saved(self) -> Path:
        """Where a trainer's callback says which checkpoints it wrote."""
        return self.file(".saved.jsonl")

    @property
    def log(self) -> Path:
        """Where the watch says what it did, a line for each event."""
        return self.file(".jsonl")


@dataclass(frozen=True, slots=True)
class Evaluated:
    checkpoint: Checkpoint
    run: Run
    verdict: str | None
    """None: there is no baseline."""


@dataclass
class Watcher:
    watch: Watch
    evaluate: Evaluate
    telling: Telling
    judge: Judge | None = None
    draw: Callable[[list[str]], None] = lambda runs: None
    """Draws the curve anew, of these runs' folders."""
    sleep: Callable[[float], None] = time.sleep
    evaluated: list[Evaluated] = field(default_factory=list)
    _looked: dict[Path, tuple[str | None, int]] = field(default_factory=dict)
    """The signature that a folder had, and after how many pauses it was first seen so."""
    _pauses: int = 0
    _tries: dict[str, int] = field(default_factory=dict)
    _named: set[Path] = field(default_factory=set)
    _waiting: set[str] = field(default_factory=set)
    """Notes on checkpoints that wait for room on a disk, so that each is printed once."""
    _refused: dict[str, AskedWrong] = field(default_factory=dict)
    """Checkpoints that are not what the flags say, by key: an adapter whose base is named nowhere, for one."""

    _growing: bool = False
    """Whether a folder may be one that is still written."""

    def __post_init__(self) -> None:
        self._saved = Saved(self.watch.saved)

    def run(self) -> list[Evaluated]:
        """Until it is interrupted, a regression is sure and there is a stop file, or, with `once`, nothing is left."""
        if not self.watch.folder.is_dir() and self.watch.once:
            raise UsageError(f"{self.watch.folder}: no such folder")
        memory = Memory.read(self.watch.file(".json"))
        memory.begin(self.watch.folder)
        if self._tell_again(memory) == "regression" and self.watch.stop_file is not None:
            return self.evaluated
        quiet_looks = 0
        while True:
            if (turn := self._next(memory)) is not None:
                quiet_looks = 0
                if self._turn(*turn, memory) == "regression" and self.watch.stop_file is not None:
                    return self.evaluated
                continue
            quiet_looks += 1
            # Only a second look shows whether a folder that is not whole is still being written.
            if self.watch.once and (quiet_looks > 1 or not self._growing):
                if self._refused and not memory.runs():
                    raise next(iter(self._refused.values()))
                return self.evaluated
            self._pause()

    def _pause(self) -> None:
        """Until the next look at the folder, or until a trainer says that it wrote a checkpoint."""
        self._pauses += 1
        left = self.watch.every
        while left > 0 and not self._saved.grew:
            self.sleep(min(left, 1.0))
            left -= 1.0

    # ── whose turn it is ─────────────────────────────────────────────────────

    def _next(self, memory: Memory) -> tuple[Checkpoint, str] | None:
        """The newest checkpoint that is whole and not evaluated yet, or that an earlier watch had started."""
        left = [
            (Checkpoint.at(path, step, name), key)
            for key, name, path in kept(self.watch.kept)
            if (step := in_name(name, "step")) is not None and self._is_open(key, memory)
        ]
        ready = []
        self._growing = False
        self._saved.read()
        for checkpoint in find_checkpoints(self.watch.folder):
            key = signature(checkpoint.path)
            earlier, pauses = self._looked.get(checkpoint.path, (None, 0))
            before = earlier if pauses < self._pauses else None
            if key != earlier:
                self._looked[checkpoint.path] = key, self._pauses
            if key is None:
                self._growing |= not self._holds_shards(checkpoint)
            elif self._is_open(key, memory):
                if self._saved.signatures.get(checkpoint.name) == key:
                    before = key  # the trainer says so: there is no need to see it stand still
                if is_whole(checkpoint, before):
                    ready.append((checkpoint, key))
                else:
                    self._growing = True
        return max([*ready, *left], key=lambda turn: turn[0].step, default=None)

    def _is_open(self, key: str, memory: Memory) -> bool:
        return not (memory.knows(key) or self._given_up(key) or key in self._refused)

    def _given_up(self, key: str) -> bool:
        return self._tries.get(key, 0) >= _TRIES

    def _holds_shards(self, checkpoint: Checkpoint) -> bool:
        """Whether a distributed trainer left only shards, which are named once."""
        command = merge_command(checkpoint.path)
        if command is not None and checkpoint.path not in self._named:
            self._named.add(checkpoint.path)
            self.telling.note(f"{checkpoint.path} holds shards, which no engine loads; this merges them: {command}")
        return command is not None

    # ── its turn ─────────────────────────────────────────────────────────────

    def _turn(self, checkpoint: Checkpoint, key: str, memory: Memory) -> str | None:
        folder = self.watch.kept / key
        try:
            held = Checkpoint.at(keep(checkpoint.path, folder), checkpoint.step, checkpoint.name)
        except OSError as error:
            release(folder)
            self._waits(checkpoint, key, error.strerror or str(error))
            return None
        if signature(held.path) != key:
            release(folder)  # deleted or written again since it was found; if whole, it is found again
            return None
        name = slug(f"{self.watch.label}-{checkpoint.name}")
        if any(seen.name == checkpoint.name for seen in memory.seen):
            name = slug(f"{name}-{key[:6]}")  # the folder was written again: the earlier run stays
        try:
            run = self.evaluate(held, name)
        except AskedWrong as error:
            release(folder)
            if not memory.runs() and not self.watch.once:
                raise  # nothing was ever evaluated: more likely a flag is wrong than this checkpoint
            self._refused[key] = error
            self.telling.note(f"{checkpoint.name} is left out: {error}")
            return None
        except OutputError as error:
            self._waits(checkpoint, key, str(error))
            return None
        except CouldNotDo as error:
            self._failed(checkpoint, key, str(error), memory)
            return None
        if signature(held.path) != key:
            release(folder)
            line = f"{checkpoint.name} was written again while it was read"
            self._told({"event": "overwritten"}, checkpoint.name, checkpoint.step, line)
            return None
        verdict = None
        if self.judge is not None:
            memory.looks += 1
            verdict = self.judge(run, memory.looks)
        seen = Seen(checkpoint.name, checkpoint.step, key, str(run.path), verdict)
        self._remember(memory, seen)
        release(folder)
        self._tell_of(Evaluated(checkpoint, run, verdict), seen, memory)
        return verdict

    def _tell_again(self, memory: Memory) -> str | None:
        """Tell of what an earlier watch evaluated and did not come to tell. Returns the last verdict of these."""
        verdict = None
        for seen in untold(memory.seen, self.telling.log) if self.telling.log is not None else ():
            if seen.run is None:
                self._tell_of_failure(seen)
                continue
            try:
                run = Run.open(Path(seen.run))
            except EvalkitError as error:
                self.telling.note(f"{seen.name} was evaluated, and its run cannot be read any more: {error}")
                continue
            checkpoint = Checkpoint.at(self.watch.folder / seen.name, seen.step, seen.name)
            self._tell_of(Evaluated(checkpoint, run, seen.verdict), seen, memory)
            verdict = seen.verdict
        return verdict

    def _tell_of(self, evaluated: Evaluated, seen: Seen, memory: Memory) -> None:
        self.evaluated.append(evaluated)
        figures = scalars(evaluated.run)
        shown = ", ".join(f"{name} {value:.4g}" for name, value in figures.items()) or "no figure"
        words = f" — {evaluated.verdict.replace('_', ' ').upper()}" if evaluated.verdict else ""
        event = {"event": "evaluated", "scalars": figures, "verdict": evaluated.verdict, "run": seen.run}
        # First the stop file: a watch that is killed here tells again when it starts, but only of what its log lacks.
        if evaluated.verdict == "regression" and self.watch.stop_file is not None:
            self._write_stop_file(self.watch.stop_file, {**event, "step": seen.step, "look": memory.looks})
        self._told({**event, "weights": seen.key}, seen.name, seen.step, f"step {seen.step:g}: {shown}{words}")
        self.draw(memory.runs())

    def _tell_of_failure(self, seen: Seen) -> None:
        event = {"event": "failed", "problem": seen.problem, "weights": seen.key}
        self._told(event, seen.name, seen.step, f"{seen.name} is given up: {seen.problem}")

    def _remember(self, memory: Memory, seen: Seen) -> None:
        try:
            memory.add(seen)
        except OutputError as error:  # the entry is written together with the next one
            self.telling.note(f"{seen.name} is evaluated and could not be entered: {error}")

    def _write_stop_file(self, path: Path, content: JsonObject) -> None:
        """Write the stop file, again and again while the disk is full: the trainer waits for it."""
        for attempt in itertools.count():
            try:
                write_file(path, (as_json(content) + "\n").encode())
            except OutputError as error:
                if attempt == 0:
                    self.telling.note(f"--stop-file could not be written and is tried again: {error}")
                if self.watch.once and attempt + 1 >= _TRIES:
                    raise
                self.sleep(self.watch.every)
            else:
                return

    def _waits(self, checkpoint: Checkpoint, key: str, problem: str) -> None:
        """Note that there is no room on a disk and pause. With `once` a checkpoint is tried three times in all."""
        line = f"{checkpoint.name} waits: {problem}"
        if line not in self._waiting:
            self._waiting.add(line)
            self.telling.note(line)
        if self.watch.once:
            self._tries[key] = self._tries.get(key, 0) + 1
        self.sleep(self.watch.every)

    def _failed(self, checkpoint: Checkpoint, key: str, problem: str, memory: Memory) -> None:
        self._tries[key] = self._tries.get(key, 0) + 1
        if not self._given_up(key):
            self.telling.note(f"{checkpoint.name} could not be evaluated and is tried again: {problem}")
            self.sleep(self.watch.every)
            return
        seen = Seen(checkpoint.name, checkpoint.step, key, problem=problem)
        self._remember(memory, seen)
        release(self.watch.kept / key)
        self._tell_of_failure(seen)

    def _told(self, event: JsonObject, name: str, step: float, line: str) -> None:
        folder = self.watch.folder
        about = {"step": step, "checkpoint_dir": str(folder / name), "output_dir": str(folder)}
        self.telling.tell({**event, **about}, line)


def scalars(run: Run) -> dict[str, float]:
    """`task/metric` and its value, for each name that was asked for; of a file its name without the folder."""
    figures = {}
    for name in run.requested:
        entry = run.entry(name)
        if entry is None or not entry.metrics:
            continue
        headline = entry.headline or next(iter(entry.metrics))
        figure = entry.metrics.get(headline)
        if figure is not None and figure.value is not None:
            figures[f"{PurePath(name).name}/{headline.partition(',')[0]}"] = figure.value
    return figures
