"""Hooks of the documentation site: pages made from the README and from the code, and links that leave docs/.

`mkdocs build --strict` builds it; mkdocs.yml names this file.
"""

from __future__ import annotations

import inspect
import os
import re
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
REPOSITORY = os.environ.get("EVALKIT_REPOSITORY", "")
"""`owner/name` on GitHub. Without it, what lies outside of docs/ is named and not linked: no link is broken."""
_LINK = re.compile(r"\]\((?!https?://|#|mailto:)([^)\s]+)\)")
_WHOLE_LINK = re.compile(rf"\[([^\]]*){_LINK.pattern}")


def on_config(config: Any) -> Any:
    """Put pages that no part of the menu names into a last part, so that a new page is never left out."""
    named = set(re.findall(r"[\w.-]+\.md", str(config.nav)))
    rest = sorted(path.name for path in (ROOT / "docs").glob("*.md") if path.name not in named)
    if rest:
        config.nav = [*config.nav, {"More": rest}]
    return config


def on_files(files: Any, config: Any) -> Any:
    """Add the pages that have no file in docs/."""
    from mkdocs.structure.files import File

    made = {
        "index.md": (ROOT / "README.md").read_text(encoding="utf-8"),
        "index.ko.md": (ROOT / "README.ko.md").read_text(encoding="utf-8"),
        "reference.md": python_markdown(),
    }
    for name, text in made.items():
        files.append(File.generated(config, name, content=_from_the_root(text) if name != "reference.md" else text))
    return files


def on_page_markdown(markdown: str, page: Any, config: Any, files: Any) -> str:
    """Point links to files of the repository that are not part of the site at the repository."""

    def moved(found: re.Match[str]) -> str:
        text, target = found.groups()
        path, _, anchor = target.partition("#")
        if path.startswith("../") or path.endswith((".ipynb", ".yml", ".yaml")):
            place = path.removeprefix("../") if path.startswith("../") else f"docs/{path}"
            if not REPOSITORY:
                return text if place in text else f"{text} (`{place}`)"
            return f"[{text}](https://github.com/{REPOSITORY}/blob/main/{place}{'#' + anchor if anchor else ''})"
        return found.group()

    return _WHOLE_LINK.sub(moved, markdown)


def _from_the_root(text: str) -> str:
    """Links of a page at the repository's root, as seen from docs/."""
    names = {"README.md": "index.md", "README.ko.md": "index.ko.md"}

    def moved(found: re.Match[str]) -> str:
        target = found.group(1)
        if target in names:
            return f"]({names[target]})"
        return f"]({target.removeprefix('docs/')})" if target.startswith("docs/") else f"](../{target})"

    return _LINK.sub(moved, text)


def python_markdown() -> str:
    """The public functions with their signatures and docstrings."""
    import evalkit

    parts = [
        "# Python reference",
        "Made from the code. Each function has the arguments of its verb, which [cli.md](cli.md) explains one by one;"
        " [python.md](python.md) shows them at work.",
    ]
    for name in evalkit.__all__:
        thing = getattr(evalkit, name)
        if not callable(thing):
            continue
        parts += [f"## ek.{name}", f"```python\n{_signature(name, thing)}\n```", inspect.getdoc(thing) or ""]
        if inspect.isclass(thing):
            parts += [_member(member, getattr(thing, member)) for member in _members(thing)]
    return "\n\n".join(part for part in parts if part) + "\n"


def _signature(name: str, thing: Any) -> str:
    if inspect.isclass(thing):
        return f"class {name}"
    parameters = ",\n    ".join(str(parameter) for parameter in inspect.signature(thing).parameters.values())
    return f"{name}(\n    {parameters},\n)"


def _members(thing: type) -> list[str]:
    return [name for name, value in vars(thing).items() if not name.startswith("_") and (inspect.getdoc(value) or "")]


def _member(name: str, value: Any) -> str:
    kind = "" if isinstance(value, property) else "()"
    return f"- `{name}{kind}`: {' '.join((inspect.getdoc(value) or '').split())}"
