"""Values as bytes: what is sent arrives, and nothing that arrives does harm."""

from __future__ import annotations

import contextlib
import struct
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evalkit.sandbox.inside import wire
from evalkit.sandbox.inside.decoding import decode
from evalkit.sandbox.inside.encoding import encode

_plain = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=False),
    st.text(),
    st.binary(),
    st.complex_numbers(allow_nan=False),
)


_hashable = st.recursive(_plain, lambda inner: st.tuples(inner, inner) | st.frozensets(inner, max_size=3), max_leaves=6)


_values = st.recursive(
    _hashable,
    lambda inner: (
        st.lists(inner, max_size=30) | st.dictionaries(_hashable, inner, max_size=4) | st.sets(_hashable, max_size=4)
    ),
    max_leaves=20,
)


def no_reference(value: Any) -> tuple[str, int, str]:
    raise AssertionError(f"{value!r} was taken for an object")


def same_types(a: Any, b: Any) -> bool:
    if type(a) is not type(b):
        return False
    if isinstance(a, (list, tuple)):
        return all(map(same_types, a, b))
    return not isinstance(a, dict) or all(map(same_types, a.values(), b.values()))


@settings(max_examples=300, deadline=None)
@given(_values)
def test_values_survive_the_wire(value: Any) -> None:
    data = encode(value, no_reference, [], 1 << 20)
    back = decode(data, lambda number, word: pytest.fail("a reference"), [])
    assert back == value
    assert same_types(back, value)


@settings(max_examples=500, deadline=None)
@given(st.binary(max_size=200), st.booleans())
def test_any_bytes_are_a_value_or_malformed(data: bytes, nested: bool) -> None:
    with contextlib.suppress(wire.Malformed):
        decode(b"l\x02\x00\x00\x00" * nested + data, lambda number, word: object(), [])


def test_sizes_and_depths_are_bounded_on_both_sides() -> None:
    deep: Any = 1
    for _ in range(wire.MAX_DEPTH + 2):
        deep = [deep]
    with pytest.raises(wire.Untransferable):
        encode(deep, no_reference, [], 1 << 20)
    with pytest.raises(wire.Untransferable):
        encode("x" * 100, no_reference, [], 50)
    for data in (b"l\x01\x00\x00\x00" * 1000 + b"N", b"s\xff\xff\xff\xff", b"l\xff\xff\xff\x7fN", b""):
        with pytest.raises(wire.Malformed):
            decode(data, lambda number, word: None, [])


def test_shared_and_recursive_containers_keep_their_shape() -> None:
    inner: list[Any] = [1]
    loop: list[Any] = [inner, inner]
    loop.append(loop)
    back = decode(encode(loop, no_reference, [], 1000), lambda number, word: None, [])
    assert back[0] is back[1]
    assert back[2] is back


@pytest.mark.parametrize("tag", [b"q", b"l", b"d"])
def test_depth_by_references_is_bounded_too(tag: bytes) -> None:
    """Each container lies beside the one before and refers to it: flat on the wire, deep in memory."""
    size = struct.Struct("<I").pack
    ends = b"N" if tag == b"q" else b""

    def chain(count: int) -> bytes:
        """A tuple of containers that each hold the one before: as an item, in a tuple or as a dict's value."""
        first = tag + size(0) + ends
        held = b"N" if tag == b"d" else b""
        links = (tag + size(1) + held + b"m" + size(n) + ends for n in range(count - 1))
        return b"t" + size(count) + first + b"".join(links)

    assert len(decode(chain(500), no_reference, [])) == 500
    with pytest.raises(wire.Malformed, match="too deep"):
        decode(chain(300_000), no_reference, [])
