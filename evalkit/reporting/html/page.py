"""Makes the page. Texts of models are stored as data, and the scripts insert them as text, never as HTML."""

from __future__ import annotations

import base64
import datetime
import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict
from importlib.resources import files
from typing import Any

from evalkit import __version__, safe
from evalkit.reporting.html.documents import OUTCOMES, index
from evalkit.reporting.html.figures import run_entry, view_entry
from evalkit.reporting.html.plain import plain_tables
from evalkit.reporting.html.sections import SECTIONS
from evalkit.reporting.html.texts import DEFAULT_ROOM, pack
from evalkit.reporting.html.tidy import in_script, tidy
from evalkit.reporting.overview import Overview
from evalkit.scrub import Scrubber
from evalkit.types import JsonObject

__all__ = ["as_html"]

_SCRIPTS = ("tools", "plots", *(script for section in SECTIONS for script in section.scripts), "main")


def as_html(content: Overview, room: int = DEFAULT_ROOM) -> str:
    """The page's HTML. `room`: about how many characters of prompts and answers to embed, changed documents first."""
    scrubber = Scrubber()
    runs, views = content.runs, content.views
    documents = index(views, runs)
    texts = pack(documents.wanted, runs, scrubber, room)
    for columns in documents.views:
        columns["text"] = [texts.places[place] for place in columns["text"]]
    data: dict[str, Any] = {
        "schema": 1,
        "evalkit": __version__,
        "made": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "runs": [run_entry(run) for run in runs],
        "views": [view_entry(view, runs) for view in views],
        **{section.data[0]: section.data[1](content) for section in SECTIONS if section.data is not None},
        "documents": {
            "outcomes": OUTCOMES,
            "names": documents.names,
            "leaves": documents.leaves,
            "views": documents.views,
        },
        "texts": {
            "starts": texts.starts,
            "no_room": texts.no_room,
            "not_kept": {str(place): names for place, names in texts.not_kept.items()},
        },
    }
    tables = [asdict(block) for block in plain_tables(content)]
    return _render(tidy(data, scrubber, steady=True), tidy(tables, scrubber, steady=True), texts.blocks)


def _render(data: JsonObject, tables: Sequence[Any], blocks: Sequence[str]) -> str:
    from jinja2 import Environment

    assets = files("evalkit.reporting.html") / "assets"
    style = "\n" + (assets / "report.css").read_text(encoding="utf-8")
    modules = [(assets / f"{name}.js").read_text(encoding="utf-8") for name in _SCRIPTS]
    titles = [(section.id, title) for section in SECTIONS if (title := section.title_for(data))]
    known = f"const SECTIONS = {json.dumps(titles)};\nconst DRAW = {{}};\n"
    script = '\n"use strict";\n(() => {\n' + known + "\n".join(modules) + "})();\n"
    template = Environment(autoescape=True, keep_trailing_newline=True).from_string(
        (assets / "template.html").read_text(encoding="utf-8")
    )
    return template.render(
        style=style,
        script=script,
        style_hash=_hash(style),
        script_hash=_hash(script),
        data=in_script(data),
        blocks=in_script(blocks),
        blocks_of_tables=tables,
        sections=[id_ for id_, _ in titles],
        title=safe.line(", ".join(run["label"] for run in data["runs"])),
    )


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
