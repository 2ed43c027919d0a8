"""What a name stands for in the tests that neither they nor Python define.

The tests may call any function of the program's. But a program must not choose what it is measured with: where the
tests use `math.isclose` without importing `math`, they get Python's own, whatever the program called by that name.
"""

from __future__ import annotations

import ast
import builtins
import functools
import sys
import types
from typing import Any

from .peer import Peer
from .remote import Remote, mark_class

__all__ = ["TestNames", "looks_like_a_class"]

_MEASURES = frozenset(("fabs", "isclose"))
"""Functions of `math` that only ever measure an answer."""


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
        # Were the candidate asked first, its own `abs` or `len` would judge it.
        if hasattr(builtins, name) or name.startswith("__"):
            raise KeyError(name)
        found, value = self._peer.ask("name", name)
        if found is not True:
            raise KeyError(name)
        own, library_value = self._from_library(name, value)
        if own:
            return library_value
        if looks_like_a_class(name):
            mark_class(value)
        return value

    def _from_library(self, name: str, value: Any) -> tuple[bool, Any]:
        """Whether the tests get Python's own object by this name, and the object."""
        if name in sys.stdlib_module_names:
            attributes = _attributes_used(self._tests).get(name, frozenset())
            module = _imported(name) if attributes else None
            if module is not None and all(hasattr(module, attribute) for attribute in attributes):
                return True, module
        if name in vars(sys.modules["math"]) and self._is_a_measure(name):
            return True, vars(sys.modules["math"])[name]
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
        if name == self._entry_point:
            return False
        others = self._entry_point is not None or any(other not in _math() for other in _free_names(self._tests))
        return others and (name in _MEASURES or name not in _judged_names(self._tests))


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


@functools.lru_cache(maxsize=64)
def _attributes_used(tests: str) -> dict[str, frozenset[str]]:
    """For each name that the tests only use as `name.attribute`, those attributes."""
    used: dict[str, set[str]] = {}
    on_attributes: set[int] = set()
    tree = ast.parse(tests)
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            used.setdefault(node.value.id, set()).add(node.attr)
            on_attributes.add(id(node.value))
    otherwise = {n.id for n in ast.walk(tree) if isinstance(n, ast.Name) and id(n) not in on_attributes}
    return {name: frozenset(attributes) for name, attributes in used.items() if name not in otherwise}


@functools.lru_cache(maxsize=64)
def _free_names(tests: str) -> frozenset[str]:
    """The names that the tests read and nowhere set."""
    tree = ast.parse(tests)
    names = [node for node in ast.walk(tree) if isinstance(node, ast.Name)]
    bound = {node.id for node in names if not isinstance(node.ctx, ast.Load)} | set(dir(builtins))
    for node in ast.walk(tree):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            bound.add(node.name)
        elif isinstance(node, ast.arg):
            bound.add(node.arg)
        elif isinstance(node, ast.alias):
            bound.add((node.asname or node.name).partition(".")[0])
    return frozenset(node.id for node in names) - bound - sys.stdlib_module_names


@functools.lru_cache(maxsize=64)
def _judged_names(tests: str) -> frozenset[str]:
    """The functions whose results the tests assert about directly: `f` in `assert f(1)` and `assert not f(1) == 2`."""
    names = set()
    for node in ast.walk(ast.parse(tests)):
        if isinstance(node, ast.Assert):
            asserted = node.test.operand if isinstance(node.test, ast.UnaryOp) else node.test
            asserted = asserted.left if isinstance(asserted, ast.Compare) else asserted
            if isinstance(asserted, ast.Call) and isinstance(asserted.func, ast.Name):
                names.add(asserted.func.id)
    return frozenset(names)
