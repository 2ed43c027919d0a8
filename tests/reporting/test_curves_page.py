"""The page of curves: charts with bands and verdicts, said on hover, and what was forgotten; without scripts too."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest

import evalkit as ek
from tests.helpers.pages import ATTACK, KOREAN, row
from tests.helpers.runfolders import TaskRows, write_run


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Three checkpoints: the last one forgot 30 of 60 documents."""
    root = tmp_path_factory.mktemp("runs")
    values = [np.array([1.0] * 40 + [0.0] * 20), np.ones(60), np.array([0.0] * 30 + [1.0] * 30)]
    folders = []
    for step, value in enumerate(values, 1):
        samples = [row(k, ATTACK if step == 3 else "right", question=f"{KOREAN} {k}") for k in range(60)]
        folders.append(
            write_run(
                root, f"step{step}", {"quiz": TaskRows(value)}, manifest={"model": {"typed": "m"}},
                samples={"quiz": samples},
            )
        )  # fmt: skip
    out = root / "page.html"
    ek.curve(folders, output_path=root, html=out)
    return out.read_text(encoding="utf-8")


def test_it_shows_everything_without_scripts(page: str) -> None:
    shown = re.sub(r"<(script|style).*?</\1>", "", page, flags=re.DOTALL)
    assert page.count("<script") == 1
    assert "DECLINED, from step 3 on" in shown
    assert "30 of 60 documents are answered worse at the last point" in shown
    assert "30 from 3" in shown
    assert KOREAN in shown
    assert "<img" not in shown
    assert shown.count('class="mark ') == 3
    assert "step 2: 1.0000, band" in shown


def test_a_browser_draws_it_and_says_a_point_on_hover(page: str, open_page: Any) -> None:
    opened = open_page(page)
    tab = opened.tab
    tab.locator("svg").hover()
    assert tab.locator(".hover").text_content().startswith("step 2: 1.0000")
    tab.locator(".mark").nth(2).focus()
    assert "surely worse than the best" in tab.locator(".hover").text_content()
    tab.locator(".forgotten summary").click()
    assert tab.locator(".forgotten tbody tr").count() == 30
    assert tab.evaluate("window.pwned") is None
    assert opened.troubles == []
    assert all(url.startswith("file:") for url in opened.requests)
    width = tab.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    assert width == 0
