"""The fleet: one engine made of replicas. It deals work to them, collects answers, and goes on when some are lost."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, cast

from evalkit import errors
from evalkit.engines.ray.cluster import Call, Cluster, Gone, Handle, Unreachable
from evalkit.engines.ray.dealing import Dealer
from evalkit.engines.ray.replica import Loaded, Setup, Taken, fingerprint_of
from evalkit.errors import AdaptersRefused, EngineError, EvalkitError
from evalkit.types import Answer, Usage, Work

__all__ = ["FleetEngine"]

SILENCE = 30.0
"""Seconds without a word after which a replica counts as lost. A network that fails for 8 seconds loses none."""
_LONG_POLL = 1.0
_REST = 10.0
"""Seconds that the replicas get at the end of a run to say what they read."""
_TELL = 20.0
"""Seconds after which a line says what the run waits for."""
_PAUSE = 0.02
_PULL = 4096
"""Items that are taken from the plan between two rounds of dealing."""
_ALONE = 120.0
"""Seconds without a word from any replica, while none has joined, after which the fleet gives up. One that loads
answers calls, however long it loads; one that waits for a place on the cluster does not."""
_SPARE = 12
"""Replicas that are started anew, beside three for each that was asked for."""
_SHAPING = ("name", "dtype", "quantization", "max_length", "versions", "scoring_path")
"""Entries of an engine's description that shape answers: they must be equal on all replicas."""


@dataclass(slots=True, eq=False)
class _Member:
    """A replica as the fleet sees it."""

    name: str
    handle: Handle
    last_heard: float
    """When it last answered a call, by the monotonic clock."""
    take: Call | None = None
    taken: int = 0
    given: int = 0
    gives: dict[Call, tuple[int, tuple[Work, ...], bool]] = field(default_factory=dict)
    """Calls of `give` that have not returned, with what was given, so that each can be sent again."""
    joined: bool = False
    loaded: Loaded | None = None
    usage: Usage = field(default_factory=Usage)
    ended: int = 0
    """Runs whose end it was told."""
    rested: int = 0
    """Runs that it has finished."""


class FleetEngine:
    """Replicas of one engine. `wanted`: how many there should be."""

    def __init__(
        self, cluster: Cluster, setup: Setup, wanted: int, notify: Callable[[str], None], *, silence: float = SILENCE
    ) -> None:
        self.name = setup.engine
        self.notify = notify
        self.stopping: Callable[[], bool] = lambda: False
        self.tell_replicas: Callable[[int, int], None] = lambda working, wanted: None
        self._shown = (-1, -1)
        self.usage = Usage()
        self.resting = False
        self.lost = 0
        self._cluster = cluster
        self._setup = setup
        self._wanted = wanted
        self._silence = silence
        self._fingerprint = fingerprint_of(setup.model)
        self._members: list[_Member] = []
        self._born = 0
        self._past = Usage()
        self._hosts: set[str] = set()
        self._most = 0
        self._dealer = Dealer()
        self._split = self._again = 0
        self._last_joined = time.monotonic()
        self._description: dict[str, object] = {}
        self._closed = False

    @classmethod
    def start(
        cls, cluster: Cluster, setup: Setup, wanted: int, notify: Callable[[str], None], *, silence: float = SILENCE
    ) -> FleetEngine:
        """Start all replicas and wait for the first one."""
        fleet = cls(cluster, setup, wanted, notify, silence=silence)
        fleet.begin()
        return fleet.wait()

    def begin(self, first: Handle | None = None) -> None:
        """Ask for all replicas. They load while this process does something else. `first`: a replica that loads
        already."""
        try:
            for number in range(self._wanted):
                self._spawn(first if number == 0 else None)
        except BaseException:
            self.close()
            raise

    def wait(self) -> FleetEngine:
        """Wait for the first replica. The others join when there is room for them."""
        notice_at = time.monotonic() + _TELL
        try:
            while not any(member.joined for member in self._members):
                for _ in self._collect(_LONG_POLL):
                    pass
                if not self._members:
                    raise EngineError("no replica could be started")
                if time.monotonic() > notice_at and not any(member.loaded for member in self._members):
                    notice_at = float("inf")
                    self.notify(f"waiting for a place for the first of {self._wanted} replicas, or for it to load")
        except BaseException:
            self.close()
            raise
        return self

    def grow(self) -> None:
        """Want one replica more. May be called from another thread."""
        self._wanted += 1

    @property
    def description(self) -> Mapping[str, Any]:
        return {**self._description, "replicas": self._replicas()}

    @property
    def in_flight(self) -> int:
        """Requests that replicas have, and not those that wait here."""
        return self._dealer.all_in_flight

    def run(self, work: Iterator[Work | None]) -> Iterator[Answer]:
        if self._closed:
            raise EngineError("the engine was closed")
        self._dealer = dealer = Dealer()
        for member in self._members:
            if member.joined:
                dealer.join(member.name)
        ended = self.resting = False
        try:
            while not (ended and dealer.done):
                if self.stopping():
                    ended = True
                    dealer.drop()
                ended = ended or self._pull(work)
                self._deal()
                yield from self._collect(_PAUSE)
                yield from self._lose_silent()
                self._refill()
                self._check_not_alone()
                self._tell()
                self.resting = dealer.done
        finally:
            self._split += dealer.split_groups
            self._again += dealer.sent_again
            for member in self._members:
                if member.joined:
                    self._give(member, (), end=True)
                    member.ended += 1
        self._settle()

    def close(self) -> None:
        if not self._closed:
            self._closed = True
            for member in self._members:
                self._cluster.kill(member.handle)
            self._cluster.close()

    # ── work ─────────────────────────────────────────────────────────────────

    def _pull(self, work: Iterator[Work | None]) -> bool:
        """Take work from the plan. True when there will be no more."""
        for _ in range(_PULL):
            try:
                item = next(work)
            except StopIteration:
                return True
            if item is None:
                return False
            self.resting = False
            self._dealer.add(item)
        return False

    def _deal(self) -> None:
        for member in self._members:
            if member.joined and (piece := self._dealer.deal(member.name)):
                self._give(member, tuple(piece))

    def _give(self, member: _Member, items: tuple[Work, ...], end: bool = False) -> None:
        member.given += 1
        self._send_again(member, (member.given, items, end))

    def _send_again(self, member: _Member, what: tuple[int, tuple[Work, ...], bool]) -> None:
        number, items, end = what
        member.gives[self._cluster.call(member.handle, "give", number, items, end)] = what

    def _settle(self) -> None:
        """Wait a moment until all replicas are at rest: only then are their counts of tokens exact."""
        until = time.monotonic() + _REST
        while any(member.rested < member.ended for member in self._members) and time.monotonic() < until:
            for _ in self._collect(_PAUSE):
                pass
        self._count_usage()

    # ── answers ──────────────────────────────────────────────────────────────

    def _collect(self, patience: float) -> Iterator[Answer]:
        """What has come in from all replicas; waits a moment for the first of it."""
        owners: dict[Call, _Member] = {}
        for member in self._members:
            if member.take is None:
                member.take = self._cluster.call(member.handle, "take", member.taken + 1, _LONG_POLL)
            owners[member.take] = member
            owners.update(dict.fromkeys(member.gives, member))
        if not owners:
            time.sleep(patience)
            return
        for call in self._cluster.ready(list(owners), patience):
            member = owners[call]
            if member not in self._members:
                continue
            result = self._cluster.result(call)
            if isinstance(result, Gone):
                yield from self._lose(member, result.reason)
            elif isinstance(result, Unreachable):
                self._ask_again(member, call)
            else:
                member.last_heard = time.monotonic()
                if call is member.take or call == member.take:
                    member.take = None
                    yield from self._take(member, result)
                else:
                    yield from self._check_given(member, call, result)

    def _ask_again(self, member: _Member, call: Call) -> None:
        """Repeat a call that may not have arrived: calls are numbered, so that a second one does no harm."""
        if call == member.take:
            member.take = None
        else:
            self._send_again(member, member.gives.pop(call))
        time.sleep(_PAUSE)

    def _check_given(self, member: _Member, call: Call, last: int) -> Iterator[Answer]:
        what = member.gives.pop(call)
        if last < what[0]:
            # An earlier call is still on its way: this one comes after it.
            self._send_again(member, what)
        yield from ()

    def _take(self, member: _Member, taken: Taken) -> Iterator[Answer]:
        if taken.number != member.taken + 1:
            return
        member.taken = taken.number
        member.usage = taken.usage
        member.rested = taken.rested
        self._count_usage()
        for line in taken.lines:
            self.notify(f"{member.name}: {line}")
        if taken.loaded is not None and not member.joined and not self._admit(member, taken.loaded):
            return
        for answer in taken.answers:
            if self._dealer.answered(member.name, answer.id):
                yield answer
        if member.joined and taken.settled == member.given and (without := self._dealer.forget(member.name)):
            self.notify(f"{member.name} ended without {without} of its answers")
        if taken.fault is not None:
            if member.loaded is None and not any(other.joined for other in self._members):
                raise _as_error(taken)
            if member.loaded is None:
                self._wanted -= 1  # it would fail again
            yield from self._lose(member, taken.fault.message)

    def _tell(self) -> None:
        """Say how many replicas are at work, when that has changed."""
        now = (sum(member.joined for member in self._members), self._wanted)
        if now != self._shown:
            self._shown = now
            self.tell_replicas(*now)

    def _count_usage(self) -> None:
        total = Usage()
        for usage in (self._past, *(member.usage for member in self._members)):
            total.prompt += usage.prompt
            total.computed += usage.computed
            total.cached += usage.cached
            total.generated += usage.generated
        total.unknown = self._why_unknown()
        self.usage = total

    def _why_unknown(self) -> str | None:
        if self.lost:
            return f"{self.lost} replicas were lost, and what they read last is not known"
        busy = sum(member.rested < member.ended for member in self._members)
        return f"{busy} replicas did not say what they read" if busy else None

    # ── members ──────────────────────────────────────────────────────────────

    def _spawn(self, handle: Handle | None = None) -> None:
        self._born += 1
        handle = self._cluster.spawn(self._setup) if handle is None else handle
        self._members.append(_Member(f"replica {self._born}", handle, time.monotonic()))

    def _admit(self, member: _Member, loaded: Loaded) -> bool:
        """Let a replica join, if it has the same model as the others."""
        member.loaded = loaded
        wrong = self._differs(loaded)
        if wrong is not None:
            self._members.remove(member)
            self._cluster.kill(member.handle)
            self._wanted -= 1
            if not self._members:
                raise EngineError(f"{member.name} on {loaded.host} is refused: {wrong}")
            self.notify(f"{member.name} on {loaded.host} is refused: {wrong}")
            return False
        member.joined = True
        self._hosts.add(loaded.host)
        self._description = self._description or dict(loaded.description)
        self._dealer.join(member.name)
        self._most = max(self._most, sum(other.joined for other in self._members))
        return True

    def _differs(self, loaded: Loaded) -> str | None:
        """Why a replica does not belong to the others; None where it does."""
        if self._fingerprint is not None and loaded.fingerprint != self._fingerprint:
            there = loaded.fingerprint or "no such folder"
            return f"{self._setup.model.source} holds other weights there ({there[:12]}, here {self._fingerprint[:12]})"
        if not self._description:
            return None
        for key in _SHAPING:
            first, other = self._description.get(key), loaded.description.get(key)
            if first != other:
                return f"its {key} is {other}, that of the first replica {first}"
        return None

    def _lose(self, member: _Member, reason: str) -> Iterator[Answer]:
        """Count a replica as lost and take its work back."""
        self._members.remove(member)
        self._cluster.kill(member.handle)
        self.lost += 1
        for name in ("prompt", "computed", "cached", "generated"):
            setattr(self._past, name, getattr(self._past, name) + getattr(member.usage, name))
        where = f" on {member.loaded.host}" if member.loaded is not None else ""
        self.notify(f"{member.name}{where} is lost ({reason}): what it had not answered is asked again")
        if member.joined and member.name in self._dealer.replicas:
            yield from self._dealer.lose(member.name)

    def _lose_silent(self) -> Iterator[Answer]:
        now = time.monotonic()
        for member in list(self._members):
            # A replica that waits for its place on the cluster says nothing, and is not lost.
            if member.joined and now - member.last_heard > self._silence:
                yield from self._lose(member, f"nothing was heard of it for {now - member.last_heard:.0f} s")

    def _refill(self) -> None:
        """Start a replica for each that was lost."""
        limit = 3 * self._wanted + _SPARE
        while len(self._members) < self._wanted and self._born < self._wanted + limit:
            try:
                self._spawn()
            except EngineError as error:
                self._born += limit
                self.notify(f"no replica can be started instead: {error}")

    def _check_not_alone(self) -> None:
        """EngineError where no replica is left and none comes."""
        if any(member.joined for member in self._members):
            self._last_joined = time.monotonic()
            return
        silent = time.monotonic() - max(self._last_joined, *(member.last_heard for member in self._members), 0)
        if not self._members or silent > _ALONE:
            lost = f"all replicas are lost ({self.lost})" if self.lost else "no replica has joined"
            raise EngineError(f"{lost}; what was answered is kept")

    def _replicas(self) -> dict[str, object]:
        return {
            "count": self._most,
            "hosts": sorted(self._hosts),
            "lost": self.lost,
            "sent_again": self._again,
            "split_groups": self._split,
        }


def _as_error(taken: Taken) -> EvalkitError:
    """The error of a replica, as it would have been raised here."""
    fault = taken.fault
    assert fault is not None
    if fault.kind == AdaptersRefused.__name__:
        return AdaptersRefused(fault.refused)
    kind = getattr(errors, fault.kind, EngineError)
    return cast(EvalkitError, kind(fault.message))
