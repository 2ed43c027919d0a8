"""What doctor says of the installation itself."""

from __future__ import annotations

from importlib import metadata
from pathlib import Path

import pytest

from evalkit.api.machine import examine


@pytest.mark.parametrize("stranger", [True, False])
def test_another_projects_distribution_called_evalkit_is_noticed(
    stranger: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("evalkit.api.machine._sandbox", lambda: {"tier": None, "reason": "not asked"})
    known = metadata.version

    def version(name: str) -> str:
        """As if only what this test installs were called evalkit: a checkout may have an older install of itself."""
        if name == "evalkit" and not stranger:
            raise metadata.PackageNotFoundError(name)
        return known(name)

    monkeypatch.setattr(metadata, "version", version)
    if stranger:
        information = tmp_path / "site" / "evalkit-0.2.1.dist-info"
        information.mkdir(parents=True)
        (information / "METADATA").write_text("Metadata-Version: 2.1\nName: evalkit\nVersion: 0.2.1\n")
        monkeypatch.syspath_prepend(str(tmp_path / "site"))
    said = examine(tmp_path).install
    assert ("evalkit 0.2.1 is here too" in said) == stranger
    assert ("pip uninstall evalkit" in said) == stranger
