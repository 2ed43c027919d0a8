"""Logs of inspect_ai that were edited, damaged or made up."""

from __future__ import annotations

import json
import re
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from evalkit.errors import RunFolderError
from evalkit.results import find
from evalkit.results.foreign.archive import Archive
from tests.helpers.foreign import junk, log_of, places, readable, replaced, typed


def rewritten(log: Path, to: Path, change: Callable[[dict[str, bytes]], Any], **options: Any) -> Path:
    """The log with other members, packed in the old way."""
    with Archive(log) as archive:
        members = {name: archive.read(name) for name in archive.names}
    change(members)
    with zipfile.ZipFile(to, "w", options.get("method", zipfile.ZIP_DEFLATED)) as packed:
        for name, content in members.items():
            packed.writestr(name, content)
    return to


def test_logs_packed_in_the_old_way_are_read_too(logs: Path, tmp_path: Path) -> None:
    old = rewritten(log_of(logs, "plain"), tmp_path / "old.eval", lambda members: None)
    assert find(str(old)).record.results.tasks == find(str(log_of(logs, "plain"))).record.results.tasks


def test_an_edited_figure_is_refused(logs: Path, tmp_path: Path) -> None:
    def change(members: dict[str, bytes]) -> None:
        content = json.loads(members["header.json"])
        content["results"]["scores"][0]["metrics"]["accuracy"]["value"] = 0.99
        members["header.json"] = json.dumps(content).encode()

    with pytest.raises(RunFolderError, match=r"accuracy,match = 0.625.*say 0.99"):
        find(str(rewritten(log_of(logs, "plain"), tmp_path / "edited.eval", change)))


@pytest.mark.parametrize(("claimed", "says"), [(0x7FFFFFF0, "would unpack to 2 GiB"), (100, "checksum|broken")])
def test_a_bomb_is_not_unpacked(claimed: int, says: str, tmp_path: Path) -> None:
    bomb = tmp_path / "bomb.eval"
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("header.json", b" " * (8 << 20))
    content = bytearray(bomb.read_bytes())
    entry = content.index(b"PK\x01\x02")
    content[entry + 24 : entry + 28] = claimed.to_bytes(4, "little")
    bomb.write_bytes(content)
    shown = typed("compare", bomb, bomb)
    assert shown.exit_code == 4
    assert re.search(says, shown.stderr)


def test_members_are_read_by_name_and_nothing_is_written(logs: Path, tmp_path: Path) -> None:
    def change(members: dict[str, bytes]) -> None:
        members["../../outside.json"] = b"{}"
        members["/samples/0_epoch_1.json"] = b"{}"

    before = {path for path in tmp_path.parent.rglob("*") if path.is_file()}
    log = rewritten(log_of(logs, "plain"), tmp_path / "tricky.eval", change)
    assert find(str(log)).record.results.tasks == find(str(log_of(logs, "plain"))).record.results.tasks
    assert {path for path in tmp_path.parent.rglob("*") if path.is_file()} - before == {log}


@pytest.mark.parametrize("packed", ["as written", "deflated"])
@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_damaged_log_is_one_line(packed: str, data: st.DataObject, logs: Path, tmp_path: Path) -> None:
    log = log_of(logs, "plain")
    if packed == "deflated":
        log = rewritten(log, tmp_path / "deflated.zip", lambda members: None)
    content = bytearray(log.read_bytes())
    kind = data.draw(st.sampled_from(["cut", "flip", "flip near the end"]))
    if kind == "cut":
        content = content[: data.draw(st.integers(0, len(content) - 1))]
    else:
        low = 0 if kind == "flip" else len(content) - 1200
        content[data.draw(st.integers(low, len(content) - 1))] ^= data.draw(st.integers(1, 255))
    damaged = tmp_path / "damaged.eval"
    damaged.write_bytes(content)
    readable(damaged)


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_whatever_stands_in_a_log_is_read_or_refused_in_one_line(
    data: st.DataObject, logs: Path, tmp_path: Path
) -> None:
    content = json.loads(log_of(logs, "json").read_text())
    for sample in content["samples"]:
        sample.pop("events", None)
        sample.pop("events_data", None)
    path = data.draw(st.sampled_from(list(places(content))))
    file = tmp_path / "log.json"
    file.write_text(json.dumps(replaced(content, path, data.draw(junk()))))
    readable(file)
