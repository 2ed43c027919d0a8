"""An object of the program's cannot be made to pass for the value that the tests expect."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from evalkit.sandbox import Sandbox
from tests.helpers.sandboxes import GOLDEN, one

FORGERIES: dict[str, dict[str, Any]] = yaml.safe_load((GOLDEN / "forgeries.yaml").read_text("utf-8"))
"""Programs that do not do what was asked, and tests that they must not pass."""


@pytest.mark.parametrize("name", FORGERIES)
def test_a_forged_answer_fails(box: Sandbox, name: str) -> None:
    found = one(box, **FORGERIES[name])
    assert found.verdict == "failed", found
    assert found.reason.startswith(("assertion", "exception")), found
