"""Replaces what two recordings of the same code may differ in; tools/golden.py lists it."""

from __future__ import annotations

import html
import json
import re
from pathlib import Path
from typing import Any

__all__ = ["Normal"]

TIME = "<time>"
# Keys whose value is of this moment or of this machine, wherever they stand.
MOMENTS = {
    "created",
    "finished",
    "blessed",
    "judged",
    "seconds",
    "command",
    "hardware",
    "wall",
    "written",
    "at",
    "date",
}
# Numbers of seconds under `timing`, and what follows from them.
TEXTS = [
    (re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d[:-]\d\d[:-]\d\d(?:\.\d+)?(?:Z|[+-]\d\d:?\d\d)?"), TIME),
    (re.compile(r"\d{4}-\d\d-\d\d(?: \d\d:\d\d)?"), TIME),
    (re.compile(r"\b\d{8}T\d{6}Z?(?:-[0-9a-f]{4})?"), TIME),
    (re.compile(r"^\[\d\d:\d\d:\d\d\] ", re.MULTILINE), ""),
    (re.compile(r"\b\d+(?:\.\d+)? ?(?:s|ms|seconds?|minutes?|min)\b"), "<seconds>"),
    (re.compile(r"\b\d+:\d\d left"), "<seconds> left"),
    (re.compile(r"[\d,.]+ tokens/s"), "<rate> tokens/s"),
    (re.compile(r"\bevalkit,? (?:version )?\d+\.\d+\S*"), "evalkit <version>"),
    (re.compile(r"0x[0-9a-f]{6,}"), "<address>"),
]
# How often these are shown depends on the machine's load.
PROGRESS = re.compile(
    r"^(?:\[\d\d:\d\d:\d\d\] )?\s*[\d,]+/[\d,]+ .*(?:\n|$)|^(?:INFO|WARNING|ERROR) .*(?:\n|$)", re.MULTILINE
)


class Normal:
    """Replaces moments, seconds and places in what one recording wrote; `places` are texts and what stands for them."""

    def __init__(self, places: dict[str, str]) -> None:
        self.places = sorted(places.items(), key=lambda item: -len(item[0]))

    def text(self, text: str) -> str:
        for place, name in self.places:
            text = text.replace(place, name)
        for pattern, name in TEXTS:
            text = pattern.sub(name, text)
        return text

    def stderr(self, text: str) -> str:
        return self.text(PROGRESS.sub("", text))

    def value(self, value: Any, key: str = "", within: str = "") -> Any:
        """A JSON value, normalised all the way down."""
        if key in MOMENTS and value is not None:
            return f"<{key}>"
        if key == "used" and isinstance(value, int | float) and value > 1e9:
            return "<used>"
        if key == "evalkit" and isinstance(value, str):
            return "<version>"
        if within == "timing" and isinstance(value, int | float):
            return "<seconds>"
        if isinstance(value, dict):
            return {self.text(k): self.value(v, k, key) for k, v in value.items()}
        if isinstance(value, list):
            return [self.value(item, within=key) for item in value]
        return self.text(value) if isinstance(value, str) else value

    def lines(self, rows: list[Any]) -> str:
        return "".join(json.dumps(self.value(row), ensure_ascii=False, sort_keys=True) + "\n" for row in rows)

    def whole(self, value: Any) -> str:
        return json.dumps(self.value(value), ensure_ascii=False, indent=1, sort_keys=True) + "\n"

    def keys(self, text: str) -> str:
        """JSON text with its keys alone."""
        return json.dumps(_bare(json.loads(text)), ensure_ascii=False, indent=1) + "\n"

    def files(self, path: Path, name: str) -> dict[str, str]:
        """A file as the texts that are compared, by name: JSON sorted, parquet as rows, a page as its text and data."""
        name = self.text(name)
        if path.suffix == ".parquet":
            import pyarrow.parquet as pq

            table = pq.read_table(path)
            columns = [f"{field.name}: {field.type}" for field in table.schema]
            return {f"{name}.jsonl": self.lines([columns, *table.to_pylist()])}
        content = path.read_text(encoding="utf-8", errors="replace")
        if path.suffix == ".html":
            return self.page(content, name)
        if path.suffix == ".json":
            return {name: self.whole(json.loads(content))}
        if path.suffix == ".jsonl":
            return {name: self.lines([json.loads(line) for line in content.splitlines()])}
        return {name: self.text(content)}

    def page(self, content: str, name: str) -> dict[str, str]:
        """An HTML page: the text in it, and each piece of JSON that it holds (packed texts unpacked)."""
        found = {}
        for kind, text in re.findall(r'<script type="application/json" id="(\w+)">(.*?)</script>', content, re.DOTALL):
            found[f"{name}.{kind}.json"] = self.whole(_unpacked(json.loads(html.unescape(text))))
        bare = re.sub(r"<(script|style)\b.*?</\1>", "", content, flags=re.DOTALL)
        bare = html.unescape(re.sub(r"<[^>]+>", "\n", bare))
        found[f"{name}.txt"] = self.text("\n".join(line.strip() for line in bare.splitlines() if line.strip()) + "\n")
        return found


def _bare(value: Any) -> Any:
    return {key: _bare(item) for key, item in value.items()} if isinstance(value, dict) else None


def _unpacked(value: Any) -> Any:
    """Base64 of zlib of JSON, wherever it stands, as what it holds."""
    import base64
    import zlib

    if isinstance(value, dict):
        return {key: _unpacked(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_unpacked(item) for item in value]
    if isinstance(value, str) and value.startswith("e"):
        try:
            return json.loads(zlib.decompress(base64.b64decode(value, validate=True)))
        except (ValueError, zlib.error):
            return value
    return value
