"""A headless browser, and pages opened in it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.helpers.browser import NoBrowser, launched
from tests.helpers.pages import DESK, Opened

if TYPE_CHECKING:
    from playwright.sync_api import Browser


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    try:
        with launched() as found:
            yield found
    except NoBrowser as why:
        pytest.skip(str(why))


@pytest.fixture
def open_page(browser: Browser, tmp_path: Path) -> Iterator[Any]:
    contexts = []

    def opened(html: str, viewport: Mapping[str, int] = DESK, scheme: str = "light", offline: bool = True) -> Opened:
        path = tmp_path / f"page-{len(contexts)}.html"
        path.write_text(html, encoding="utf-8")
        context = browser.new_context(offline=offline, viewport=dict(viewport), color_scheme=scheme)  # type: ignore[arg-type]
        contexts.append(context)
        tab = context.new_page()
        found = Opened(tab, [], [])
        tab.on("request", lambda request: found.requests.append(request.url))
        tab.on("console", lambda message: found.troubles.append(message.text) if message.type == "error" else None)
        tab.on("pageerror", lambda error: found.troubles.append(str(error)))
        tab.on("dialog", lambda dialog: (found.troubles.append(f"dialog {dialog.message}"), dialog.dismiss()))
        tab.goto(path.as_uri())
        tab.wait_for_selector("body[data-ready]")
        return found

    yield opened
    for context in contexts:
        context.close()
