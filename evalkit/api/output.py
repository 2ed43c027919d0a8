"""Writes results to files or stdout, and lets objects show themselves in a notebook."""

from __future__ import annotations

import html
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from evalkit.errors import OutputError

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["as_html_table", "write_all", "write_to"]


def write_all(*outputs: tuple[str | None, Callable[[], str]]) -> None:
    """Write each text to its target, and make only those that have one."""
    for target, make in outputs:
        if target is not None:
            write_to(target, make())


def write_to(target: str | None, text: str) -> None:
    """Write a whole file or nothing, so that a reader never sees half of it. `-` is stdout."""
    if target is None:
        return
    text = text.encode("utf-8", "replace").decode()  # half of a surrogate pair, as broken documents have them
    if target == "-":
        sys.stdout.write(text if text.endswith("\n") else text + "\n")
        sys.stdout.flush()
        return
    path = Path(target)
    if path.suffix.lower() == ".csv" and not text.isascii():
        text = "\ufeff" + text.removeprefix("\ufeff")  # without it a Korean Excel takes the file for CP949
    partial = path.with_name(path.name + ".partial")
    try:
        partial.write_text(text, encoding="utf-8", newline="")
        partial.replace(path)
    except OSError as error:
        raise OutputError(
            f"{target}: cannot be written ({error.strerror}); give another path, or - for stdout"
        ) from None


def as_html_table(heading: str, frame: pd.DataFrame, notes: Sequence[str] = ()) -> str:
    """A heading, a table and notes as HTML for a notebook. Names come from outside, so everything is escaped."""
    table = frame.to_html(index=False, escape=True, border=0, na_rep="", float_format=lambda value: f"{value:.4g}")
    items = "".join(f"<li>{html.escape(note)}</li>" for note in notes)
    return f"<p><b>{html.escape(heading)}</b></p>{table}" + (f"<ul>{items}</ul>" if items else "")
