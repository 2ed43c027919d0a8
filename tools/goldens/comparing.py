"""Says what differs between two recordings: case by case, then key by key over all cases."""

from __future__ import annotations

import difflib
import json
import math
from collections import Counter
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

__all__ = ["compare"]

ABSENT = "(absent)"


def compare(a: Path, b: Path, cases: str, most: int, close: float) -> int:
    """Print every difference; returns how many cases differ."""
    names = sorted(_cases(a) | _cases(b))
    names = [name for name in names if any(fnmatch(name, pattern) for pattern in cases.split(","))]
    kinds: Counter[str] = Counter()
    total, different = len(names), 0
    for side, other in ((a, b), (b, a)):
        for group in sorted({name.split("/")[0] for name in names}):
            if not (side / group).is_dir():
                here = [name for name in names if name.startswith(f"{group}/")]
                print(f"== {group}: in {other} alone, {len(here)} cases")
                different += len(here)
                names = [name for name in names if name not in here]
    for name in names:
        found = list(_case(a / name, b / name, close))
        if not found:
            continue
        different += 1
        print(f"\n== {name}: {len(found)} differences")
        if (a / name / "case.json").is_file():
            print(f"   evalkit {json.loads((a / name / 'case.json').read_text())['line']}")
        for file, key, old, new in found[:most]:
            print(f"   {file}  {key}\n     - {_short(old)}\n     + {_short(new)}")
        if len(found) > most:
            print(f"   … and {len(found) - most} more: --case '{name}' --most 1000")
        kinds.update({f"{file.rsplit('/', 1)[-1]}  {_kind(key)}" for file, key, _, _ in found})
    print(f"\n{total} cases: {total - different} equal, {different} different")
    if kinds:
        print("\ncases  what differs")
        for kind, count in kinds.most_common():
            print(f"{count:5}  {kind}")
    return different


def _cases(root: Path) -> set[str]:
    return {str(path.parent.relative_to(root)) for path in root.glob("*/*/case.json")}


def _case(a: Path, b: Path, close: float) -> Iterator[tuple[str, str, Any, Any]]:
    """Each difference as file, key, old and new."""
    if not a.is_dir() or not b.is_dir():
        yield "(case)", "", *(("recorded" if side.is_dir() else ABSENT) for side in (a, b))
        return
    old, new = ({str(p.relative_to(side)) for p in side.rglob("*") if p.is_file()} for side in (a, b))
    for file in sorted(old | new):
        if file not in old or file not in new:
            yield file, "(file)", *(("there" if file in side else ABSENT) for side in (old, new))
            continue
        before, after = ((side / file).read_text(encoding="utf-8") for side in (a, b))
        if before != after:
            yield from ((file, *found) for found in _file(before, after, close))


def _file(before: str, after: str, close: float) -> Iterator[tuple[str, Any, Any]]:
    read = [_read(before), _read(after)]
    if None in read:
        yield from _lines(before, after)
        return
    yield from _values(*read, "", close)


def _read(text: str) -> Any:
    """JSON, or JSON lines as a list; None where it is neither."""
    try:
        return json.loads(text)
    except ValueError:
        pass
    try:
        return [json.loads(line) for line in text.splitlines()] or None
    except ValueError:
        return None


def _values(old: Any, new: Any, key: str, close: float) -> Iterator[tuple[str, Any, Any]]:
    if isinstance(old, dict) and isinstance(new, dict):
        for name in [*old, *(name for name in new if name not in old)]:
            yield from _values(old.get(name, ABSENT), new.get(name, ABSENT), f"{key}.{name}" if key else name, close)
    elif isinstance(old, list) and isinstance(new, list):
        names = _names(old, new)
        if names and names[0] != names[1]:
            yield f"{key} (which, and their order)", *names
            sides = [dict(zip(*pair, strict=True)) for pair in zip(names, (old, new), strict=True)]
            old, new = ([side[name] for name in names[0] if name in sides[1]] for side in sides)
        for i in range(max(len(old), len(new))):
            pair = (side[i] if i < len(side) else ABSENT for side in (old, new))
            yield from _values(*pair, f"{key}[{i}]", close)
    elif type(old) is not type(new) or (old != new and not _near(old, new, close)):
        yield key, old, new


def _names(old: list[Any], new: list[Any]) -> list[list[str]] | None:
    """What the objects of two lists are called, where each has a name of its own by which the lists can be matched."""
    if not all(isinstance(item, dict) for item in (*old, *new)):
        return None
    for name in ("path", "run_id", "item"):
        names = [[item.get(name) for item in side] for side in (old, new)]
        if all(len(set(side)) == len(side) and all(isinstance(value, str) for value in side) for side in names):
            return names
    return None


def _near(old: Any, new: Any, close: float) -> bool:
    return isinstance(old, float) and isinstance(new, float) and math.isclose(old, new, rel_tol=close, abs_tol=close)


def _lines(before: str, after: str) -> Iterator[tuple[str, Any, Any]]:
    """Changed lines of a text, in blocks."""
    old, new = before.splitlines(), after.splitlines()
    for kind, i, j, k, m in difflib.SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if kind != "equal":
            yield f"line {i + 1}", "\n       ".join(old[i:j]) or ABSENT, "\n       ".join(new[k:m]) or ABSENT


def _short(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 600 else f"{text[:600]}… ({len(text):,} characters)"


def _kind(name: str) -> str:
    """A file or key without what is a case's own: folders, places in lists, and all but a key's ends."""
    parts = name.rsplit("/", 1)[-1].split(" ")[0].replace("[", ".[").split(".")
    parts = ["[]" if part.startswith("[") else part for part in parts]
    return ".".join(parts) if len(parts) < 5 else f"{parts[0]}.….{parts[-1]}"
