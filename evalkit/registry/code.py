"""Tasks whose answers are programs: builds the program and the tests to run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from evalkit.errors import ConfigError, nearest
from evalkit.types import Program, RawDocument

__all__ = ["CodeSpec"]

_KEYS = ("language", "program", "tests", "entry_point", "prelude", "k", "canonical", "packages", "seconds")
_MOST_SECONDS = 3600


@dataclass(frozen=True, slots=True)
class CodeSpec:
    """`sandbox:` of a task file. Each value is a field of the document or a Jinja template over it.

    `program` also sees `completion`, the model's answer after the task's filters.
    """

    program: str = "{{completion}}"
    tests: str | None = None
    entry_point: str | None = None
    prelude: str | None = None
    k: tuple[int, ...] = (1,)
    canonical: str | None = None
    """A right program of the document, to see whether this machine is fast enough for the limits."""
    packages: tuple[str, ...] = ()
    """Installed packages that the tests import."""
    seconds: float | None = None
    """The time that a program and its tests get, where it is more than the usual."""

    @classmethod
    def read(cls, value: Any, where: str) -> CodeSpec:
        if isinstance(value, str):
            value = {"language": value}
        if not isinstance(value, Mapping):
            raise ConfigError(f"{where}: sandbox: `python` or a mapping is wanted, this is {value!r}")
        for key in value:
            if key not in _KEYS:
                raise ConfigError(f"{where}: sandbox: unknown key {key!r}{nearest(str(key), _KEYS)}")
        if value.get("language", "python") != "python":
            raise ConfigError(
                f"{where}: sandbox: {value['language']!r} cannot be run; python is the one language there is"
            )
        k = value.get("k", 1)
        ks = tuple(k) if isinstance(k, (list, tuple)) else (k,)
        if not ks or not all(isinstance(n, int) and not isinstance(n, bool) and n > 0 for n in ks):
            raise ConfigError(f"{where}: sandbox: k: whole numbers above 0 are wanted, this is {k!r}")
        keys = ("program", "tests", "entry_point", "prelude", "canonical")
        texts = {key: value[key] for key in keys if value.get(key) is not None}
        for key, text in texts.items():
            if not isinstance(text, str):
                raise ConfigError(f"{where}: sandbox: {key}: a field's name or a template is wanted, this is {text!r}")
        packages, seconds = value.get("packages") or (), value.get("seconds")
        if isinstance(packages, str) or not all(isinstance(name, str) for name in packages):
            raise ConfigError(f"{where}: sandbox: packages: a list of names is wanted, this is {packages!r:.80}")
        number = isinstance(seconds, int | float) and not isinstance(seconds, bool)
        if seconds is not None and not (number and 0 < seconds <= _MOST_SECONDS):
            raise ConfigError(
                f"{where}: sandbox: seconds: above 0 and at most {_MOST_SECONDS}, this is {seconds!r:.80}"
            )
        return cls(**texts, k=tuple(sorted(set(ks))), packages=tuple(packages), seconds=seconds)

    def program_of(self, doc: RawDocument, completion: str, render: Any) -> Program:
        """Raises KeyError or a template error if the document lacks a field that the task file names."""
        source = render(self.program, {**doc, "completion": completion})
        return self._with_tests(source, doc, render)

    def canonical_of(self, doc: RawDocument, render: Any) -> Program | None:
        """The document's right program; None if the task file names none."""
        source = self._value(self.canonical, doc, render)
        return None if source is None else self._with_tests(source, doc, render)

    def _with_tests(self, source: str, doc: RawDocument, render: Any) -> Program:
        tests = self._tests(doc, render)
        entry = self._value(self.entry_point, doc, render)
        if self.entry_point is None and "entry_point" in doc:
            entry = str(doc["entry_point"])
        return Program(
            source=source,
            tests=tests,
            entry_point=entry or None,
            prelude=self._value(self.prelude, doc, render) or "",
            seconds=self.seconds,
        )

    def _tests(self, doc: RawDocument, render: Any) -> str:
        if self.tests is not None:
            return self._value(self.tests, doc, render) or ""
        for name in ("test", "tests", "test_list"):
            if name in doc:
                return _joined(doc[name])
        raise KeyError("the document has no field test, tests or test_list; name it with sandbox: {tests: FIELD}")

    @staticmethod
    def _value(text: str | None, doc: RawDocument, render: Any) -> str | None:
        if text is None:
            return None
        return _joined(doc[text]) if text in doc else str(render(text, doc))


def _joined(value: Any) -> str:
    return "\n".join(str(part) for part in value) if isinstance(value, (list, tuple)) else str(value)
