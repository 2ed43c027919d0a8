"""An object of the candidate's, seen from the tests.

It behaves as the object does, with one exception: against a value of the tests' own it has no say. It equals none,
compares with none, and arithmetic with one gives another remote object or nothing. So an object that claims to
equal everything equals nothing that a test expects.
"""

from __future__ import annotations

from typing import Any

from .peer import Proxy

__all__ = ["Remote"]


def _ask(target: Proxy, operation: str, *arguments: Any, **named: Any) -> Any:
    return object.__getattribute__(target, "_peer").ask(operation, target, *arguments, **named)


class Remote(Proxy):
    __slots__ = ()

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        return _ask(self, "call", *arguments, **named)

    def __getattr__(self, name: str) -> Any:
        return _ask(self, "get", name)

    def __setattr__(self, name: str, value: Any) -> None:
        _ask(self, "set", name, value)

    def __delattr__(self, name: str) -> None:
        _ask(self, "del", name)

    def __iter__(self) -> Any:
        return _ask(self, "iter")

    def __next__(self) -> Any:
        return _ask(self, "next")

    def __len__(self) -> int:
        return _whole(_ask(self, "len"))

    def __bool__(self) -> bool:
        return _ask(self, "bool") is True

    def __str__(self) -> str:
        return _text(_ask(self, "str"))

    def __repr__(self) -> str:
        return _text(_ask(self, "repr"))

    def __hash__(self) -> int:
        return _whole(_ask(self, "hash"))

    def __int__(self) -> int:
        return _whole(_ask(self, "int"))

    def __index__(self) -> int:
        return _whole(_ask(self, "index"))

    def __float__(self) -> float:
        value = _ask(self, "float")
        if type(value) is not float:
            raise TypeError("__float__ returned non-float")
        return value

    def __getitem__(self, key: Any) -> Any:
        return _ask(self, "item", key)

    def __setitem__(self, key: Any, value: Any) -> None:
        _ask(self, "put", key, value)

    def __delitem__(self, key: Any) -> None:
        _ask(self, "drop", key)

    def __contains__(self, wanted: Any) -> bool:
        # The tests compare; the object's own word would decide otherwise.
        return any(item is wanted or item == wanted for item in self)

    def __enter__(self) -> Any:
        return _ask(self, "enter")

    def __exit__(self, *raised: object) -> None:
        _ask(self, "leave")

    def __instancecheck__(self, value: Any) -> bool:
        return isinstance(value, Remote) and _ask(value, "isinstance", self) is True

    def __subclasscheck__(self, value: Any) -> bool:
        return isinstance(value, Remote) and _ask(value, "issubclass", self) is True


def _whole(value: Any) -> int:
    if type(value) is not int:
        raise TypeError("an integer was expected")
    return value


def _text(value: Any) -> str:
    if type(value) is not str:
        raise TypeError("a string was expected")
    return value


def _comparison(operation: str) -> Any:
    def compare(self: Remote, other: Any) -> Any:
        if not isinstance(other, Remote):
            return NotImplemented
        return _ask(self, operation, other)

    return compare


def _arithmetic(operation: str, reflected: bool) -> Any:
    def compute(self: Remote, other: Any) -> Any:
        if isinstance(other, Remote):
            return _ask(self, operation, other)
        ask = object.__getattribute__(self, "_peer").ask
        result = ask(operation, other, self) if reflected else ask(operation, self, other)
        return result if isinstance(result, Remote) else NotImplemented

    return compute


def _unary(operation: str) -> Any:
    def compute(self: Remote) -> Any:
        result = _ask(self, operation)
        if not isinstance(result, Remote):
            raise TypeError(f"bad operand type for unary {operation}")
        return result

    return compute


for _name in ("eq", "ne", "lt", "le", "gt", "ge"):
    setattr(Remote, f"__{_name}__", _comparison(_name))
for _name in ("add", "sub", "mul", "truediv", "floordiv", "mod", "pow", "matmul", "and_", "or_", "xor"):
    setattr(Remote, f"__{_name.rstrip('_')}__", _arithmetic(_name, reflected=False))
    setattr(Remote, f"__r{_name.rstrip('_')}__", _arithmetic(_name, reflected=True))
for _name in ("neg", "pos", "invert"):
    setattr(Remote, f"__{_name}__", _unary(_name))
