"""Replicas on a simulated clock: the dealer and the slots are the real ones, only the time is made up."""

from __future__ import annotations

import heapq
import itertools
import random
from array import array
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from evalkit.engines.ray.dealing import SHARED, Dealer
from evalkit.planning import common_prefix
from evalkit.runner.slots import Slots
from evalkit.types import Generate, Score, TokenIds, Work

_REMEMBERED = 8
"""Prompts whose prefix a replica's cache still holds."""


@dataclass(slots=True)
class _Reader:
    """Counts the prompt tokens that one replica computes: a prefix that it has just read is not read again."""

    recent: deque[TokenIds] = field(default_factory=lambda: deque(maxlen=_REMEMBERED))

    def read(self, item: Work) -> int:
        prompt = item.context if isinstance(item, Score) else item.prompt
        known = max((common_prefix(before, prompt) for before in self.recent), default=0)
        self.recent.append(prompt)
        if isinstance(item, Generate):
            return len(prompt) - known
        return len(prompt) - known + sum(len(tokens) - 1 for tokens in item.continuations)


def tokens_read(plan: Iterable[Work], replicas: int) -> tuple[int, int]:
    """The prompt tokens that these replicas compute for a plan, and the groups that were split.

    Each replica takes as long for an item as it has tokens to compute, so the fastest is the next to be dealt to.
    """
    dealer = Dealer()
    for item in plan:
        dealer.add(item)
    readers = {f"r{number}": _Reader() for number in range(replicas)}
    for name in readers:
        dealer.join(name)
    held: dict[str, deque[Work]] = {name: deque() for name in readers}
    clock = [(0, name) for name in readers]
    total = 0
    while clock and not dealer.done:
        now, name = heapq.heappop(clock)
        held[name].extend(dealer.deal(name))
        if not held[name]:
            continue  # nothing is left that is worth splitting
        item = held[name].popleft()
        cost = readers[name].read(item)
        total += cost
        for id_ in item.ids:
            dealer.answered(name, id_)
        heapq.heappush(clock, (now + cost + 1, name))
    assert dealer.done
    return total, dealer.split_groups


def tokens_interleaved(plan: Iterable[Work], replicas: int) -> int:
    """The same where item i goes to replica i modulo their number, as lm-eval divides documents."""
    readers = [_Reader() for _ in range(replicas)]
    return sum(readers[number % replicas].read(item) for number, item in enumerate(plan))


# ── sweeps ───────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Sweep:
    """What a sweep took."""

    makespan: float
    bound: float
    """All work and one load of each checkpoint, divided evenly among the slots; no less than the longest piece."""
    loads: int


@dataclass(slots=True)
class _Run:
    dealer: Dealer
    seconds: Sequence[float]
    """By request id."""
    left: float
    held: dict[str, deque[Work]] = field(default_factory=dict)


def plan_of(sizes: Sequence[int]) -> list[Work]:
    """One prefix group for each task, with so many items."""
    items: list[Work] = []
    for task, size in enumerate(sizes):
        context = array("i", [task] * (SHARED + 1))
        items += [Score((len(items) + number,), context, (context[:1],)) for number in range(size)]
    return items


def sweep(runs: Sequence[tuple[Sequence[Work], Sequence[float]]], slots: int, load: float) -> Sweep:
    """Run plans, each with the seconds of its items, on so many slots."""
    policy = Slots(slots, [str(number) for number in range(len(runs))])
    begun: dict[str, _Run] = {}
    events: list[tuple[float, int, str, str, Work | None]] = []
    numbers = itertools.count()
    loads = 0
    now = 0.0

    def hand_out() -> None:
        nonlocal loads
        while (active := policy.next(load)) is not None:
            if active.name not in begun:
                begun[active.name] = _begin(*runs[int(active.name)])
            active.left = begun[active.name].left
            loads += 1
            heapq.heappush(events, (now + load, next(numbers), active.name, f"r{loads}", None))

    hand_out()
    while events:
        now, _, name, replica, done = heapq.heappop(events)
        run = begun[name]
        if name not in policy.active:
            continue  # it was still loading when the others finished
        if done is None:
            run.held[replica] = deque()
            run.dealer.join(replica)
        else:
            run.left -= run.seconds[done.ids[0]]
            policy.active[name].left = run.left
            run.dealer.answered(replica, done.ids[0])
        run.held[replica].extend(run.dealer.deal(replica))
        if run.held[replica]:
            item = run.held[replica].popleft()
            heapq.heappush(events, (now + run.seconds[item.ids[0]], next(numbers), name, replica, item))
        elif run.dealer.done:
            ended = now
            policy.end(name)
            hand_out()
    assert all(run.dealer.done for run in begun.values())
    assert len(begun) == len(runs)
    work = sum(sum(seconds) + load for _, seconds in runs)
    return Sweep(ended, max(work / slots, load), loads)


def _begin(items: Iterable[Work], seconds: Sequence[float]) -> _Run:
    dealer = Dealer()
    for item in items:
        dealer.add(item)
    return _Run(dealer, seconds, float(sum(seconds)))


def heavy_tailed(count: int, total: int, seed: int) -> list[int]:
    """So many sizes that sum up to about `total`: most small, a few large, as benchmarks are."""
    rng = random.Random(seed)
    weights = [rng.lognormvariate(0, 1.3) for _ in range(count)]
    return [max(1, round(total * weight / sum(weights))) for weight in weights]


def uneven(
    plans: Sequence[Sequence[Work]], seconds_each: float, seed: int
) -> Iterator[tuple[Sequence[Work], list[float]]]:
    """Each plan with seconds for its items that differ between checkpoints and between items."""
    rng = random.Random(seed)
    for items in plans:
        speed = seconds_each * rng.uniform(0.7, 1.5)
        yield items, [speed * rng.uniform(0.5, 1.5) for _ in items]
