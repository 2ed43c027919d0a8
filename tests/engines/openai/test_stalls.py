"""When a silent server is named and given up, by a clock of the test's own."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace

import pytest

from evalkit.engines.openai import stalls
from evalkit.engines.openai.stalls import StallWatch

READY = asyncio.sleep


class Clock:
    """Each sleep takes as long as was asked for, and `late` seconds more: a busy machine."""

    def __init__(self, late: float) -> None:
        self.seconds = 1000.0
        self.late = late

    def monotonic(self) -> float:
        return self.seconds

    async def sleep(self, seconds: float) -> None:
        self.seconds += seconds + self.late
        await READY(0)


@pytest.mark.parametrize("late", [0.0, 0.3], ids=["quiet machine", "busy machine"])
def test_a_silent_server_is_named_within_ten_seconds_of_its_silence(
    late: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock(late)
    monkeypatch.setattr(stalls, "time", clock)
    monkeypatch.setattr(stalls, "asyncio", SimpleNamespace(sleep=clock.sleep))
    told: list[tuple[float, str]] = []
    watch = StallWatch("http://server", 600, lambda line: told.append((clock.seconds, line)))

    async def ask() -> float:
        watch.began()
        for _ in range(40):  # answers come, longer than the notice takes
            await clock.sleep(5)
            watch.answered()
        silent_since = clock.seconds
        await watch.watch()
        return silent_since

    since = asyncio.run(ask())
    first, text = told[0]
    assert 9 < first - since <= 10
    assert text.startswith("waiting for http://server for 10 s: no reply yet")
    assert 600 <= clock.seconds - since < 601
