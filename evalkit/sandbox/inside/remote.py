"""Stand-ins in the tester's process for objects that live in the candidate's.

A stand-in behaves as its object does, with one exception: wherever a value of the tests takes part, the candidate does
not decide the result. A stand-in equals no value of the tests, cannot be ordered against one, and arithmetic with one
gives something that cannot be turned into a plain value. Otherwise an object could claim to equal every expected
answer, or to differ from each by 0.0.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from .peer import Peer, Proxy
from .wire import BY_NAME

__all__ = ["Arithmetic", "Remote", "TesterPeer", "mark_class"]

_LOOKS = frozenset(("bool", "float", "hash", "index", "int", "item", "len", "repr", "str"))
"""Operations that do not change an object, so that its plain value stays the same between them."""
_OF_VALUES = frozenset(
    (
        *("endswith", "startswith", "removeprefix", "removesuffix", "replace", "strip", "lstrip", "rstrip", "join"),
        *("issubset", "issuperset", "isdisjoint", "difference", "symmetric_difference", "intersection", "union"),
        *(name for kind in (str, float) for name in dir(kind) if name.startswith("is")),
    )
)
"""Methods of builtin values that compare or combine with a value of the tests'."""
_VIEWS = frozenset(("items", "keys", "values"))
_SUBCLASSES = {
    kind.__name__: type(kind.__name__, (kind,), {"__module__": "candidate"})
    for kind in (AssertionError, Exception, BaseException)
}


class TesterPeer(Peer):
    """The tester's end of the connection. It refuses replies that no honest program gives."""

    stop_iteration_expected = False
    """Whether the tests name StopIteration. If not, no call raises it: inside a `map` or `zip` of the tests it would
    end their loop before anything was compared."""
    types: Mapping[str, type] = {
        **BY_NAME,
        **_SUBCLASSES,
    }
    """Classes by name. A test that says `except TheirError:` would catch its own failing assertion if the candidate
    gave Exception for TheirError, so it gets a subclass of such classes."""
    changes = 0
    """Counts the operations so far that may have changed an object of the candidate's."""

    def ask(self, operation: str, *arguments: Any, **named: Any) -> Any:
        if operation not in _LOOKS:
            self.changes += 1
        try:
            return super().ask(operation, *arguments, **named)
        except (StopIteration, StopAsyncIteration) as error:
            if operation == "next" or self.stop_iteration_expected:
                raise
            raise RuntimeError(f"the program raised {type(error).__name__}") from None


def _peer(target: Proxy) -> TesterPeer:
    peer: TesterPeer = object.__getattribute__(target, "_peer")
    return peer


def _ask(target: Proxy, operation: str, *arguments: Any, **named: Any) -> Any:
    return _peer(target).ask(operation, target, *arguments, **named)


class Remote(Proxy):
    """An object that the candidate made or returned."""

    __slots__ = ("_answers", "_from_class", "_is_class")

    def __init__(self, peer: Peer, number: int, word: str) -> None:
        super().__init__(peer, number, word)
        object.__setattr__(self, "_answers", None)
        object.__setattr__(self, "_is_class", False)
        object.__setattr__(self, "_from_class", False)

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        result = _ask(self, "call", *arguments, **named)
        if isinstance(result, Remote) and object.__getattribute__(self, "_is_class"):
            object.__setattr__(result, "_from_class", True)
        return result

    def __getattr__(self, name: str) -> Any:
        value = _ask(self, "get", name)
        if not isinstance(value, Remote):
            return value
        if object.__getattribute__(self, "_is_class"):
            mark_class(value)  # another way to make an instance, such as a class method
        elif name in _OF_VALUES and not _from_class(self):
            return lambda *arguments, **named: _without_value(value(*arguments, **named))
        elif name in _VIEWS and not _from_class(self):
            return lambda *arguments, **named: _view(self, value(*arguments, **named))
        return value

    def __setattr__(self, name: str, value: Any) -> None:
        _ask(self, "set", name, value)

    def __delattr__(self, name: str) -> None:
        _ask(self, "del", name)

    def __iter__(self) -> Any:
        items = _ask(self, "iter")
        if items is self or _from_class(self):
            return items
        try:
            return _as_many_as(len(self), items)
        except (TypeError, ValueError):  # it has no length, as an iterator has none
            return items

    def __reversed__(self) -> Any:
        items = _ask(self, "reversed")
        return items if _from_class(self) else _as_many_as(len(self), items)

    def __next__(self) -> Any:
        return _ask(self, "next")

    def __len__(self) -> int:
        return _whole(_converted(self, "len"))

    def __bool__(self) -> bool:
        return _converted(self, "bool") is True

    def __str__(self) -> str:
        return _text(_converted(self, "str"))

    def __repr__(self) -> str:
        return _text(_converted(self, "repr"))

    def __hash__(self) -> int:
        return _whole(_converted(self, "hash"))

    def __int__(self) -> int:
        return _whole(_converted(self, "int"))

    def __index__(self) -> int:
        return _whole(_converted(self, "index"))

    def __float__(self) -> float:
        value = _converted(self, "float")
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
        # The tests compare the items. The object itself could claim to contain anything.
        return any(item is wanted or item == wanted for item in self)

    def __enter__(self) -> Any:
        return _ask(self, "enter")

    def __exit__(self, *raised: object) -> None:
        _ask(self, "leave")

    def __instancecheck__(self, value: Any) -> bool:
        return isinstance(value, Remote) and _ask(value, "isinstance", self) is True

    def __subclasscheck__(self, value: Any) -> bool:
        return isinstance(value, Remote) and _ask(value, "issubclass", self) is True


class NoValue:
    """What an object of the program's said of a value of the tests': never true, false, or equal to anything."""

    __slots__ = ()
    __hash__ = None  # type: ignore[assignment]

    def __bool__(self) -> bool:
        raise TypeError(_NO_VALUE)

    def __eq__(self, other: object) -> bool:
        raise TypeError(_NO_VALUE)

    def __repr__(self) -> str:
        return "<what an object of the program says of a value>"


class Arithmetic(Proxy):
    """What arithmetic gave in which a value of the tests', or the result of a function, took part.

    It can go on into more arithmetic and back to the candidate. It is never a number, a text, true or empty, since the
    candidate saw the tests' value and could choose whatever passes.
    """

    __slots__ = ()
    __hash__ = None  # type: ignore[assignment]

    def __bool__(self) -> bool:
        raise TypeError(_NO_VALUE)

    def __eq__(self, other: object) -> bool:
        return self._compared("eq", other)

    def __ne__(self, other: object) -> bool:
        return self._compared("ne", other)

    def _compared(self, operation: str, other: object) -> bool:
        # Only an instance that the tests made of the candidate's own class is the candidate's to compare.
        if isinstance(other, Remote) and _from_class(other):
            return _ask(self, operation, other) is True
        raise TypeError(_NO_VALUE)

    def __repr__(self) -> str:
        return "<the result of arithmetic in the program>"


_NO_VALUE = "what an object of the program makes of another value has no value for the tests"


def mark_class(value: Any) -> None:
    """Says that the tests take this object for a class of the candidate's: what it makes may do its own arithmetic."""
    if isinstance(value, Remote):
        object.__setattr__(value, "_is_class", True)


def _as_many_as(length: int, items: Any) -> Iterator[Any]:
    """The items, and an error where there are not as many as the object says. A test may have compared its length, and
    then compare item by item for as long as there are any."""
    count = 0
    for item in items:
        count += 1
        yield item
    if count != length:
        raise RuntimeError(f"an object of the program has length {length} and {count} items")


def _without_value(result: Any) -> Any:
    return _as_arithmetic(result) if isinstance(result, Remote) else NoValue()


def _view(target: Remote, result: Any) -> Any:
    """The keys or items of an object that has a length: there must be as many."""
    try:
        length = len(target)
    except TypeError:
        return result
    try:
        count = len(result)
    except TypeError:
        return _as_many_as(length, result)
    if count != length:
        raise RuntimeError(f"an object of the program has length {length} and {count} items")
    return result


def _from_class(value: Any) -> bool:
    return isinstance(value, Remote) and object.__getattribute__(value, "_from_class") is True


def _converted(target: Remote, operation: str) -> Any:
    """The object as a plain value: the same one again until something is done that may change it.

    An instance that the tests made themselves is asked each time: its class is what they test.
    """
    if _from_class(target):
        return _ask(target, operation)
    answers: dict[str, tuple[int, Any]] | None = object.__getattribute__(target, "_answers")
    if answers is None:
        answers = {}
        object.__setattr__(target, "_answers", answers)
    changes = _peer(target).changes
    if operation not in answers or answers[operation][0] != changes:
        answers[operation] = (changes, _ask(target, operation))
    return answers[operation][1]


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


def _binary(operation: str, reflected: bool) -> Any:
    def compute(self: Proxy, other: Any) -> Any:
        ask = _peer(self).ask
        result = ask(operation, other, self) if reflected else ask(operation, self, other)
        own = _from_class(self) or _from_class(other)
        if own and isinstance(other, Remote):
            return _marked_instance(result)
        if not isinstance(result, Remote):
            return NotImplemented
        return _marked_instance(result) if own else _as_arithmetic(result)

    return compute


def _unary(operation: str) -> Any:
    def compute(self: Proxy) -> Any:
        result = _ask(self, operation)
        if not isinstance(result, Remote):
            raise TypeError(f"bad operand type for unary {operation}")
        if _from_class(self):
            return _marked_instance(result)
        return result if isinstance(self, Remote) else _as_arithmetic(result)

    return compute


def _marked_instance(value: Any) -> Any:
    if isinstance(value, Remote):
        object.__setattr__(value, "_from_class", True)
    return value


def _as_arithmetic(result: Remote) -> Arithmetic:
    """A second view of the same object: the object may well be one that the tests have already."""
    return Arithmetic(_peer(result), object.__getattribute__(result, "_number"), "")


for _name in ("eq", "ne", "lt", "le", "gt", "ge"):
    setattr(Remote, f"__{_name}__", _comparison(_name))
for _class in (Remote, Arithmetic):
    for _name in ("add", "sub", "mul", "truediv", "floordiv", "mod", "pow", "matmul", "and_", "or_", "xor"):
        setattr(_class, f"__{_name.rstrip('_')}__", _binary(_name, reflected=False))
        setattr(_class, f"__r{_name.rstrip('_')}__", _binary(_name, reflected=True))
    for _name in ("neg", "pos", "invert"):
        setattr(_class, f"__{_name}__", _unary(_name))
