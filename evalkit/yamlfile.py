"""Reads YAML that a person wrote: bounded in size, depth and aliases, and no key may stand twice.

A few lines of YAML with aliases of aliases stand for billions of nodes. Loading them is quick; whatever walks through
them afterwards, an error message included, never ends. So the size of a file written out in full is counted first.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evalkit.errors import ConfigError

if TYPE_CHECKING:
    import yaml

__all__ = [
    "MOST_BYTES",
    "MOST_NODES",
    "compose_yaml",
    "construct_yaml",
    "parse_yaml",
    "read_bounded",
    "read_yaml",
    "safe_reader",
]

MOST_BYTES = 1 << 20
MOST_NODES = 100_000
"""Values in a file, with every alias written out."""
MOST_CHARACTERS = 16 << 20
"""Of a file, with every alias written out."""
MOST_LEVELS = 100
_LONG_NUMBER = 400
"""Characters of a plain number. YAML takes minutes to convert one with a million, as 1:59:59:59 …"""

_OF_TAGS = (LookupError, TypeError, AttributeError)
"""What PyYAML raises where a value is not what its tag says, as in `!!bool maybe`."""
_UNLIKE_TAG = "a value is not what its tag says"


def read_yaml(path: Path | str, what: str = "", *, most_bytes: int = MOST_BYTES, loader: Any = None) -> Any:
    """The content of a YAML file. `what` begins every error message; by default it is the path.

    `loader` is a subclass of yaml.SafeLoader with constructors of its own.
    """
    what = what or str(path)
    return parse_yaml(read_bounded(path, what, most_bytes), what, loader=loader)


def read_bounded(path: Path | str, what: str, most_bytes: int = MOST_BYTES) -> bytes:
    """The bytes of a file of at most `most_bytes`. A pipe or a device is refused: it might never end."""
    path = Path(path)
    try:
        path = path.expanduser()
        if path.exists() and not path.is_file():
            raise ConfigError(f"{what} can't be read: it is a folder, a pipe or a device; a file is wanted")
        with path.open("rb") as file:
            content = file.read(most_bytes + 1)
    except FileNotFoundError:
        raise ConfigError(f"{what}: there is no such file") from None
    except (OSError, ValueError, RuntimeError) as error:
        raise ConfigError(f"{what} can't be read: {getattr(error, 'strerror', None) or error}") from None
    if len(content) > most_bytes:
        raise ConfigError(f"{what} is larger than {_size(most_bytes)}: such a file is written by hand and far smaller")
    return content


def parse_yaml(content: str | bytes, what: str, *, most_nodes: int = MOST_NODES, loader: Any = None) -> Any:
    """The value that YAML text holds, None where it holds nothing. `what` begins every error message."""
    import yaml

    try:
        text = content if isinstance(content, str) else content.decode("utf-8-sig")
        _check_bounds(text, what, most_nodes)
        reader = _strict(loader or safe_reader())(text)
        try:
            node = reader.get_single_node()
            return None if node is None else reader.construct_document(node)
        finally:
            reader.dispose()
    except UnicodeDecodeError as error:
        raise ConfigError(f"{what} is not text in UTF-8 (byte {error.start} can't be read)") from None
    except RecursionError:
        raise ConfigError(f"{what} is nested too deeply to be read") from None
    except _OF_TAGS as error:
        raise ConfigError(f"{what} is not YAML: {_UNLIKE_TAG} ({error})") from None
    except (yaml.YAMLError, ValueError, OverflowError) as error:
        raise ConfigError(f"{what} is not YAML: {' '.join(str(error).split())[:500]}") from None


def compose_yaml(content: str | bytes, what: str, *, most_nodes: int = MOST_NODES) -> yaml.Node | None:
    """The nodes of a YAML document, each with its line, before any value is made; None for an empty document."""
    import yaml

    try:
        _check_bounds(content, what, most_nodes)
        node: yaml.Node | None = yaml.compose(content, Loader=safe_reader())
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise _not_valid(error, what) from None
    return node


def construct_yaml(node: yaml.Node, what: str, *, tags_as_text: bool = False) -> Any:
    """The value of a document's nodes. A tag of its own, as `!function`, is an error or the text behind it."""
    import yaml

    class Loader(yaml.SafeLoader):
        pass

    if tags_as_text:
        Loader.add_multi_constructor("!", lambda loader, suffix, tagged: getattr(tagged, "value", None))
    try:
        return Loader("").construct_document(node)
    except _OF_TAGS as error:
        raise ConfigError(f"{what}: not valid YAML: {_UNLIKE_TAG} ({error})") from None
    except (yaml.YAMLError, RecursionError, ValueError, OverflowError) as error:
        raise _not_valid(error, what) from None


def safe_reader() -> Any:
    """The safe reader that is written in C, some ten times as fast, where PyYAML was built with it."""
    import yaml

    return getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def _check_bounds(content: str | bytes, what: str, most_nodes: int) -> None:
    """Count values and characters as if every alias were written out, reading the text once and building nothing."""
    import yaml

    sizes: dict[str, tuple[int, int]] = {}
    """Values and characters behind each anchor."""
    anchors: list[str | None] = [None]
    open_: list[tuple[int, int]] = [(0, 0)]
    """What was counted in each list or mapping whose end was not read yet."""
    for event in _events(content):
        line = event.start_mark.line + 1
        if isinstance(event, yaml.CollectionStartEvent):
            if len(open_) > MOST_LEVELS:
                raise ConfigError(f"{what} is nested too deeply to be read (line {line})")
            anchors.append(event.anchor)
            open_.append((1, 1))
            continue
        if isinstance(event, yaml.AliasEvent):
            if event.anchor in anchors:
                raise ConfigError(f"{what}: line {line} contains itself through an alias")
            nodes, characters = sizes.get(str(event.anchor), (1, 1))
        elif isinstance(event, yaml.ScalarEvent):
            nodes, characters = 1, 1 + len(event.value)
            if characters > _LONG_NUMBER and event.style in (None, "") and _is_number(event.value):
                raise ConfigError(f"{what} is not YAML: line {line}: a number of {characters - 1:,} characters")
            if event.anchor is not None:
                sizes[event.anchor] = nodes, characters
        elif isinstance(event, yaml.CollectionEndEvent):
            nodes, characters = open_.pop()
            if (anchor := anchors.pop()) is not None:
                sizes[anchor] = nodes, characters
        else:
            continue
        open_[-1] = open_[-1][0] + nodes, open_[-1][1] + characters
        if open_[-1][0] > most_nodes:
            raise ConfigError(f"{what} stands for more than {most_nodes:,} values, with its aliases written out")
        if open_[-1][1] > MOST_CHARACTERS:
            raise ConfigError(f"{what} stands for more than {_size(MOST_CHARACTERS)}, with its aliases written out")


def _events(content: str | bytes) -> Iterator[Any]:
    import yaml

    yield from yaml.parse(content, Loader=safe_reader())


def _is_number(text: str) -> bool:
    return text[0] in "+-.0123456789" and set(text) <= set("+-.:_eExXabcdefABCDEF0123456789")


def _not_valid(error: Any, what: str) -> ConfigError:
    mark = getattr(error, "problem_mark", None)
    line = f":{mark.line + 1}" if mark is not None else ""
    problem = getattr(error, "problem", None) or " ".join(str(error).split())[:300]
    hint = "; a template that begins with {{ stands in quotes" if "unhashable" in str(error) else ""
    return ConfigError(f"{what}{line}: not valid YAML ({problem}){hint}")


def _strict(base: Any) -> Any:
    """`base`, but a key that stands twice is an error: the second would silently win."""
    import yaml

    class Strict(base):  # type: ignore[misc]
        pass

    def mapping(loader: Any, node: Any) -> Any:
        seen: set[Any] = set()
        for key_node, _ in node.value:
            if key_node.tag == "tag:yaml.org,2002:merge":
                continue
            key = loader.construct_object(key_node, deep=True)
            line = key_node.start_mark.line + 1
            if isinstance(key, list | dict):
                raise yaml.YAMLError(f"line {line}: a key can't be a list or a mapping")
            if key in seen:
                raise yaml.YAMLError(f"line {line}: {str(key)[:100]} stands twice")
            seen.add(key)
        made: dict[Any, Any] = {}
        yield made
        loader.flatten_mapping(node)
        made.update(loader.construct_mapping(node))

    Strict.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, mapping)
    return Strict


def _size(count: int) -> str:
    return f"{count >> 20} MiB" if count >= 1 << 20 else f"{count >> 10} KiB"
