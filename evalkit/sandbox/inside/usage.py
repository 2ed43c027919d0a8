"""What the text of the tests says about how they use a name."""

from __future__ import annotations

import ast
import builtins
import functools
import sys
from collections.abc import Iterator

__all__ = [
    "attributes_used", "called", "checked_as", "expects_stop", "free_names", "judged_names", "makes_instances",
    "measures",
]  # fmt: skip

_Function = ast.FunctionDef | ast.AsyncFunctionDef
_OF_BUILTINS = frozenset(name for kind in (str, list, dict, set, float) for name in dir(kind))


@functools.lru_cache(maxsize=64)
def _nodes(tests: str) -> tuple[ast.AST, ...]:
    return tuple(ast.walk(ast.parse(tests)))


@functools.lru_cache(maxsize=64)
def attributes_used(tests: str) -> dict[str, frozenset[str]]:
    """For each name of which the tests use attributes, those attributes."""
    used: dict[str, set[str]] = {}
    for node in _nodes(tests):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            used.setdefault(node.value.id, set()).add(node.attr)
    return {name: frozenset(attributes) for name, attributes in used.items()}


@functools.lru_cache(maxsize=64)
def called(tests: str) -> frozenset[str]:
    """The names that the tests call as functions."""
    return frozenset(n.func.id for n in _nodes(tests) if isinstance(n, ast.Call) and isinstance(n.func, ast.Name))


@functools.lru_cache(maxsize=64)
def checked_as(tests: str) -> frozenset[str]:
    """By which name the tests' function `check` calls the function under test."""
    checks = (n for n in _nodes(tests) if isinstance(n, _Function) and n.name == "check" and n.args.args)
    return frozenset(check.args.args[0].arg for check in checks)


@functools.lru_cache(maxsize=64)
def expects_stop(tests: str) -> bool:
    """Whether the tests name StopIteration in their code."""
    if "StopIteration" not in tests and "StopAsyncIteration" not in tests:
        return False  # reading every test would cost a tenth of its time
    try:
        names = {node.id for node in _nodes(tests) if isinstance(node, ast.Name)}
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return not names.isdisjoint(("StopIteration", "StopAsyncIteration"))


@functools.lru_cache(maxsize=64)
def free_names(tests: str) -> frozenset[str]:
    """The names that the tests read and nowhere set."""
    names = [node for node in _nodes(tests) if isinstance(node, ast.Name)]
    bound = {node.id for node in names if not isinstance(node.ctx, ast.Load)} | set(dir(builtins))
    for node in _nodes(tests):
        if isinstance(node, (_Function, ast.ClassDef)):
            bound.add(node.name)
        elif isinstance(node, ast.arg):
            bound.add(node.arg)
        elif isinstance(node, ast.alias):
            bound.add((node.asname or node.name).partition(".")[0])
    return frozenset(node.id for node in names) - bound - sys.stdlib_module_names


@functools.lru_cache(maxsize=64)
def judged_names(tests: str) -> frozenset[str]:
    """The functions whose results the tests assert about directly: `f` in `assert f(1)` and `assert not f(1) == 2`."""
    names = set()
    for node in _nodes(tests):
        if isinstance(node, ast.Assert):
            asserted = node.test.operand if isinstance(node.test, ast.UnaryOp) else node.test
            asserted = asserted.left if isinstance(asserted, ast.Compare) else asserted
            if isinstance(asserted, ast.Call) and isinstance(asserted.func, ast.Name):
                names.add(asserted.func.id)
    return frozenset(names)


@functools.lru_cache(maxsize=256)
def measures(tests: str, name: str, judged: frozenset[str]) -> bool:
    """Whether the tests call `name` on what a function in `judged` returned, as in `sqrt((f(1) - 3) ** 2) < eps`."""
    answers: set[str] = set()

    def holds_an_answer(part: ast.AST) -> bool:
        for node in ast.walk(part):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in judged - {name}:
                return True
            if isinstance(node, ast.Name) and node.id in answers:
                return True
        return False

    for target, value in _assignments(tests):
        if holds_an_answer(value):
            answers.add(target)
    return any(
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id == name
        and any(map(holds_an_answer, node.args))
        for node in _nodes(tests)
    )


@functools.lru_cache(maxsize=256)
def makes_instances(tests: str, name: str, is_entry_point: bool) -> bool:
    """Whether the tests use what `name(…)` gives as an instance of a class.

    They ask it for attributes that no builtin value has, keep it and ask for its items, or compare and combine two of
    them. MBPP has functions with names such as `Average` and `Diff`.
    """
    names = {name}
    if is_entry_point:
        names |= checked_as(tests)
    held: set[str] = set()

    def made(node: ast.AST | None) -> bool:
        if isinstance(node, ast.Call):
            of = node.func.value if isinstance(node.func, ast.Attribute) else node.func
            return isinstance(of, ast.Name) and of.id in names
        return isinstance(node, (ast.Name, ast.Attribute)) and ast.unparse(node) in held

    for target, value in _assignments(tests):
        if made(value):
            held.add(target)
    for node in _nodes(tests):
        if isinstance(node, ast.Attribute) and node.attr not in _OF_BUILTINS:
            if made(node.value) or (isinstance(node.value, ast.Name) and node.value.id in names):
                return True
        elif isinstance(node, ast.Subscript) and isinstance(node.value, (ast.Name, ast.Attribute)) and made(node.value):
            return True
        elif isinstance(node, ast.BinOp | ast.Compare):
            others = [node.right] if isinstance(node, ast.BinOp) else node.comparators
            if made(node.left) and any(map(made, others)):
                return True
    return any(isinstance(part, ast.Name) and part.id in names for part in _classes_named(tests))


def _assignments(tests: str) -> Iterator[tuple[str, ast.AST]]:
    """What the tests assign, in the order of the text: the target's text and the value."""
    assignments: list[tuple[int, str, ast.AST]] = []
    for node in _nodes(tests):
        if isinstance(node, ast.Assign):
            assignments += [(node.lineno, ast.unparse(target), node.value) for target in node.targets]
        elif isinstance(node, (ast.AnnAssign, ast.NamedExpr)) and node.value is not None:
            assignments.append((node.lineno, ast.unparse(node.target), node.value))
        elif isinstance(node, ast.For):
            assignments.append((node.lineno, ast.unparse(node.target), node.iter))
        elif isinstance(node, ast.withitem) and node.optional_vars is not None:
            assignments.append((node.optional_vars.lineno, ast.unparse(node.optional_vars), node.context_expr))
    for _, target, value in sorted(assignments, key=lambda item: item[0]):
        yield target, value


def _classes_named(tests: str) -> Iterator[ast.AST]:
    """What the tests use where only a class can stand."""
    for node in _nodes(tests):
        if isinstance(node, ast.ClassDef):
            yield from node.bases
        elif isinstance(node, ast.ExceptHandler) and node.type is not None:
            yield from ast.walk(node.type)
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and len(node.args) > 1:
            yield from ast.walk(node.args[1]) if node.func.id in ("isinstance", "issubclass") else ()
