"""A headless Chromium for the tests of pages: whichever is here. tools/install-chromium brings one."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playwright.sync_api import Browser

NAMES = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome-stable", "google-chrome", "chrome")


class NoBrowser(Exception):
    """Says why there is none."""


@contextmanager
def launched() -> Iterator[Browser]:
    try:
        from playwright.sync_api import Error, sync_playwright
    except ImportError:
        raise NoBrowser("playwright is not installed: pip install playwright") from None
    with sync_playwright() as playwright:
        tried = []
        for path in (*found(), playwright.chromium.executable_path):
            if not Path(path).is_file():
                continue
            try:
                # The sandbox of a browser needs rights that a container often lacks; these pages are the tests' own.
                browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox", "--disable-gpu"])
            except Error as error:
                tried.append(f"{path}: {str(error).splitlines()[0]}")
                continue
            try:
                yield browser
            finally:
                browser.close()
            return
    why = "; ".join(tried) or f"none of {', '.join(NAMES)} is here"
    raise NoBrowser(f"no headless Chromium: {why} (bash tools/install-chromium .venv/bin brings one)")


def found() -> list[str]:
    asked = os.environ.get("EVALKIT_CHROMIUM")
    unpacked = str(Path(sys.prefix) / "chromium" / "run")
    return [asked] if asked else [path for name in (*NAMES, unpacked) if (path := shutil.which(name))]
