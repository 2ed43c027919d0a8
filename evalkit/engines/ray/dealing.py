"""Deals work to replicas so that requests that share a prefix stay together. Pure: no clock, no process, no Ray.

The planner hands out work in the order of its prefix trie. Neighbours that share at least 128 tokens form a prefix
group, and one replica answers it, since every further replica would have to read the shared prefix again. A replica
that has finished its group takes one that nobody has begun, else half of the largest that is left.

What a lost replica had not answered is dealt again before anything else, in smaller parts and alone, so that a
request that ends its engine is found: after it ended three replicas it is Failed, and the others are answered.
"""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass, field, replace

from evalkit.planning import common_prefix
from evalkit.types import Failed, Score, TokenIds, Work

__all__ = ["Dealer"]

SHARED = 128
"""Neighbours that share fewer tokens than this belong to different prefix groups."""
STRIKES = 3
"""A request that was being answered alone when its replica was lost, and that has lost so many, is Failed."""
FIRST, MOST, LEAST = 16, 512, 4
"""Requests that a replica is given at first, at most, and at the end."""
SPLIT = 24
"""A group with fewer requests left than this is not split: reading its prefix again would cost more."""


@dataclass(slots=True, eq=False)
class _Group:
    """Work with a common prefix, in order."""

    items: deque[Work] = field(default_factory=deque)
    requests: int = 0
    owner: str | None = None

    def add(self, item: Work) -> None:
        self.items.append(item)
        self.requests += len(item.ids)

    def pop(self) -> Work:
        item = self.items.popleft()
        self.requests -= len(item.ids)
        return item

    def split(self) -> _Group:
        """Cut off the second half, by requests."""
        other = _Group()
        while len(self.items) > 1 and other.requests + len(self.items[-1].ids) <= self.requests:
            item = self.items.pop()
            self.requests -= len(item.ids)
            other.items.appendleft(item)
            other.requests += len(item.ids)
        return other


@dataclass(slots=True)
class _Replica:
    """What one replica was given and has not answered."""

    name: str
    given: dict[int, Work] = field(default_factory=dict)
    """By request id."""
    group: _Group | None = None
    dealt: int = 0
    alone: bool = False
    """It has work that a lost replica had, and gets nothing else until that is answered."""


class Dealer:
    """Takes ordered work, deals it to replicas, and notes what was answered."""

    def __init__(self) -> None:
        self.split_groups = 0
        """Groups that more than one replica worked on."""
        self.sent_again = 0
        """Requests that were dealt again because their replica was lost."""
        self.waiting = 0
        """Requests that no replica has."""
        self._replicas: dict[str, _Replica] = {}
        self._unowned: deque[_Group] = deque()
        self._owned: list[_Group] = []
        self._open: dict[tuple[str | None, bool], tuple[_Group, TokenIds]] = {}
        self._again: deque[list[Work]] = deque()
        self._strikes: Counter[int] = Counter()

    # ── work comes in ────────────────────────────────────────────────────────

    def add(self, item: Work) -> None:
        """Take the next item of the plan. Its ids must be new."""
        scoring = isinstance(item, Score)
        tokens = item.context if isinstance(item, Score) else item.prompt
        key = (item.adapter, scoring)
        group, before = self._open.get(key, (None, tokens))
        if group is None or common_prefix(before, tokens) < SHARED:
            group = _Group()
            self._unowned.append(group)
        elif group.owner is None and not group.items:
            self._unowned.append(group)
        group.add(item)
        self.waiting += len(item.ids)
        self._open[key] = (group, tokens)

    def drop(self) -> int:
        """Forget all work that no replica has; returns the number of its requests."""
        dropped, self.waiting = self.waiting, 0
        self._unowned.clear()
        self._again.clear()
        self._owned.clear()
        self._open.clear()
        for replica in self._replicas.values():
            replica.group = None
        return dropped

    # ── replicas come and go ─────────────────────────────────────────────────

    def join(self, name: str) -> None:
        self._replicas[name] = _Replica(name)

    def lose(self, name: str) -> list[Failed]:
        """Take back what this replica has not answered. Returns the requests that are given up."""
        replica = self._replicas.pop(name)
        if replica.group is not None:
            self._release(replica.group)
        failed: list[Failed] = []
        left: list[Work] = []
        alone = len(_items(replica.given)) == 1
        for item in _items(replica.given):
            part = _part(item, [id_ for id_ in item.ids if id_ in replica.given])
            self._strikes.update(part.ids)
            if alone and all(self._strikes[id_] >= STRIKES for id_ in part.ids):
                if len(part.ids) == 1:
                    failed.append(_given_up(part.ids[0]))
                    continue
                # Which of several continuations it was is not known: each is asked by itself.
                left += [_part(part, [id_]) for id_ in part.ids]
                continue
            left.append(part)
        self._deal_again(left)
        return failed

    @property
    def replicas(self) -> tuple[str, ...]:
        return tuple(self._replicas)

    def in_flight(self, name: str) -> int:
        """Requests that this replica has."""
        return len(self._replicas[name].given)

    @property
    def all_in_flight(self) -> int:
        return sum(len(replica.given) for replica in self._replicas.values())

    @property
    def done(self) -> bool:
        """Every request that came in was answered or given up."""
        return not self.waiting and not self.all_in_flight

    # ── work goes out ────────────────────────────────────────────────────────

    def deal(self, name: str) -> list[Work]:
        """The next work for this replica; empty while it has enough, or while there is none."""
        replica = self._replicas[name]
        if replica.alone and replica.given:
            return []
        replica.alone = False
        if self._again:
            if replica.given:
                return []
            replica.alone = True
            return self._hand_over(replica, self._again.popleft())
        room = self._room(replica)
        if len(replica.given) > room // 2:
            return []
        piece: list[Work] = []
        requests = len(replica.given)
        while requests < room and (group := self._group_for(replica, begun=bool(piece))) is not None:
            item = group.pop()
            piece.append(item)
            requests += len(item.ids)
        return self._hand_over(replica, piece)

    def answered(self, name: str, id_: int) -> bool:
        """Note an answer. False if this replica was not asked for it: an answer that came twice."""
        replica = self._replicas.get(name)
        if replica is None or replica.given.pop(id_, None) is None:
            return False
        self._strikes.pop(id_, None)
        return True

    def forget(self, name: str) -> int:
        """Give up what this replica has not answered, since it lost it. Returns the number of requests."""
        given = self._replicas[name].given
        lost = len(given)
        given.clear()
        return lost

    # ── inside ───────────────────────────────────────────────────────────────

    def _room(self, replica: _Replica) -> int:
        """Requests that a replica may have: few at first and at the end, when each should end at the same time."""
        share = self.waiting // (2 * max(1, len(self._replicas)))
        begun = max(FIRST, 2 * replica.dealt)
        return max(LEAST, min(MOST, share, begun))

    def _group_for(self, replica: _Replica, *, begun: bool) -> _Group | None:
        """The group that this replica goes on with. `begun`: its piece holds work already."""
        if replica.group is not None and replica.group.items:
            return replica.group
        if replica.group is not None:
            self._release(replica.group)
            replica.group = None
        while self._unowned and not self._unowned[0].items:
            self._unowned.popleft()
        if self._unowned:
            return self._own(replica, self._unowned.popleft())
        if begun:
            return None
        largest = max(self._owned, key=lambda group: group.requests, default=None)
        if largest is None or largest.requests < SPLIT or len(largest.items) < 2:
            return None
        half = largest.split()
        self.split_groups += 1
        for key, (group, tokens) in self._open.items():
            if group is largest:
                self._open[key] = (half, tokens)
        return self._own(replica, half)

    def _own(self, replica: _Replica, group: _Group) -> _Group:
        group.owner = replica.name
        replica.group = group
        self._owned.append(group)
        return group

    def _release(self, group: _Group) -> None:
        group.owner = None
        if group in self._owned:
            self._owned.remove(group)
        if group.items:
            self._unowned.appendleft(group)

    def _hand_over(self, replica: _Replica, piece: list[Work]) -> list[Work]:
        for item in piece:
            replica.given.update(dict.fromkeys(item.ids, item))
            replica.dealt += len(item.ids)
            self.waiting -= len(item.ids)
        return piece

    def _deal_again(self, items: list[Work]) -> None:
        """Queue the work of a lost replica: in quarters at first, item by item after a second loss."""
        if not items:
            return
        worst = max(self._strikes[id_] for item in items for id_ in item.ids)
        size = max(1, -(-len(items) // 4)) if worst < STRIKES - 1 else 1
        for start in range(0, len(items), size):
            self._again.append(items[start : start + size])
        again = sum(len(item.ids) for item in items)
        self.waiting += again
        self.sent_again += again


def _items(given: dict[int, Work]) -> list[Work]:
    """Every item once, in the order in which they were dealt."""
    return list({id(item): item for item in given.values()}.values())


def _given_up(id_: int) -> Failed:
    return Failed(id_, f"{STRIKES} replicas ended while this request was answered, each time alone or in few")


def _part(item: Work, ids: list[int]) -> Work:
    """The item with only these requests."""
    if len(ids) == len(item.ids):
        return item
    places = [item.ids.index(id_) for id_ in ids]
    if isinstance(item, Score):
        return replace(item, ids=tuple(ids), continuations=tuple(item.continuations[place] for place in places))
    return replace(item, ids=tuple(ids), samples=tuple(item.samples[place] for place in places))
