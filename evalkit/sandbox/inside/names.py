"""What a name stands for in the tests that neither they nor Python define.

The tests may call any function of the program's. But a program must not choose what it is measured with: where the
tests use `math.isclose` without importing `math`, they get Python's own, whatever the program called by that name.
"""

from __future__ import annotations

import builtins
import sys
import types
from typing import Any

from .peer import Peer
from .remote import Remote, mark_class
from .usage import attributes_used, called, checked_as, free_names, judged_names, makes_instances, measures

__all__ = ["TestNames", "looks_like_a_class"]

_MEASURES = frozenset(("fabs", "isclose"))
"""Functions of `math` that only ever measure an answer."""
_MEASURING = frozenset(("cmath", "decimal", "fractions", "functools", "itertools", "math", "operator", "statistics"))
"""Modules that tests measure with, by whatever way they reach the function: `m = math`."""
_EXPORTS = {
    **dict.fromkeys(("Counter", "OrderedDict", "defaultdict", "deque"), "collections"),
    **dict.fromkeys(("accumulate", "chain", "combinations", "groupby", "permutations", "zip_longest"), "itertools"),
    **dict.fromkeys(("mean", "median", "mode", "stdev"), "statistics"),
    **dict.fromkeys(("dumps", "loads"), "json"),
    "Decimal": "decimal",
    "Fraction": "fractions",
    "deepcopy": "copy",
    "reduce": "functools",
}
"""Names that programs import from the library, and that tests then use without importing them."""


class TestNames(dict[str, Any]):
    """The tests' global names."""

    def __init__(self, peer: Peer, tests: str, entry_point: str | None, module: str) -> None:
        super().__init__(__name__=module, __builtins__=builtins)
        self._peer = peer
        self._tests = tests
        self._entry_point = entry_point
        self.loaded_a_module = False
        """Whether a module was loaded that the program named: it stays loaded in this process."""

    def __missing__(self, name: str) -> Any:
        # Python's own names come first: else the candidate could bring an `abs` or `len` that judges its answers.
        if hasattr(builtins, name) or name.startswith("__"):
            raise KeyError(name)
        exists, value = self._peer.ask("name", name)
        if exists is not True:
            raise KeyError(name)
        own, library_value = self._from_library(name, value)
        if own:
            return library_value
        if looks_like_a_class(name) and makes_instances(self._tests, name, False):
            mark_class(value)
        return value

    def _from_library(self, name: str, value: Any) -> tuple[bool, Any]:
        """Whether the tests get Python's own object by this name, and the object."""
        if name in sys.stdlib_module_names and name not in called(self._tests):
            attributes = attributes_used(self._tests).get(name, frozenset())
            module = _imported(name) if attributes or name in _MEASURING else None
            if module is not None and all(hasattr(module, attribute) for attribute in attributes):
                return True, module
        if name in vars(sys.modules["math"]) and self._is_a_measure(name):
            return True, vars(sys.modules["math"])[name]
        if name in _EXPORTS and self._is_the_librarys(name, value):
            return True, getattr(_imported(_EXPORTS[name]), name)
        if isinstance(value, Remote) and object.__getattribute__(value, "_word") == "module":
            # A module that the candidate imported, perhaps under another name, is taken from here, unchanged.
            original = str(value.__name__)
            if original.partition(".")[0] in sys.stdlib_module_names:
                self.loaded_a_module |= original not in sys.modules
                module = _imported(original)
                return module is not None, module
        return False, None

    def _is_a_measure(self, name: str) -> bool:
        """Whether the tests use this function of `math` to judge another function, rather than to judge it."""
        others = self._others(_math())
        if name == self._entry_point or not others:
            return False
        return name in _MEASURES or name not in judged_names(self._tests) or measures(self._tests, name, others)

    def _is_the_librarys(self, name: str, value: Any) -> bool:
        """Whether the program's object by this name says that it is the library's, or must be for a fair test."""
        if name == self._entry_point:
            return False
        if isinstance(value, Remote) and self._module_of(value) == _EXPORTS[name]:
            return True
        others = self._others(_EXPORTS)
        return measures(self._tests, name, others) or (bool(others) and name == "deepcopy")

    def _module_of(self, value: Remote) -> str | None:
        """The module that an object of the program's says it comes from."""
        try:
            named = self._peer.ask("get", value, "__module__")
        except Exception:
            return None
        return named.lstrip("_") if type(named) is str else None

    def _others(self, exports: dict[str, Any]) -> frozenset[str]:
        """The program's functions that the tests name, beside these."""
        free = free_names(self._tests).difference(exports)
        return free | {self._entry_point, *checked_as(self._tests)} if self._entry_point is not None else free


def looks_like_a_class(name: str) -> bool:
    """Whether a name is written as names of classes are: `Stack`, and not `stack` or `Find_Max`."""
    return name[:1].isupper() and "_" not in name


def _imported(name: str) -> types.ModuleType | None:
    try:
        __import__(name)
    except Exception:
        return None
    return sys.modules.get(name)


def _math() -> dict[str, Any]:
    return vars(sys.modules["math"])
