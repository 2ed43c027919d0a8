"""What a kind of judge declares, and how the judge that --judge names is found and opened.

Each kind declares one `JudgeSpec` under the entry-point group `evalkit.judges`, those that ship with evalkit too.
Reading a spec must not import a model library: `open` imports what it needs when it is called.

docs/extending.md shows a whole judge.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Protocol

from evalkit.engines.price import FREE, Price
from evalkit.errors import UsageError, nearest
from evalkit.plugins import PluginGroup
from evalkit.scrub import without_userinfo
from evalkit.types import Arguments, JsonObject

if TYPE_CHECKING:
    from evalkit.journal import Journal
    from evalkit.judging.items import Item
    from evalkit.judging.judgment import Judge, Judgment
    from evalkit.judging.rubric import Rubric

__all__ = [
    "BACKENDS",
    "GROUP",
    "SEMANTICS",
    "JudgeOptions",
    "JudgeSpec",
    "NamedJudge",
    "OpenJudge",
    "judge_forms",
    "open_judge",
    "parse_judge",
]

GROUP = "evalkit.judges"
SEMANTICS = "judge/1"
"""Part of the journal key of every judge's answer."""


class OpenJudge(Protocol):
    """A judge that can be asked."""

    @property
    def judge(self) -> Judge:
        """The judge's name and fingerprint."""
        ...

    @property
    def asked(self) -> int:
        """Answers that were not in the journal."""
        ...

    @property
    def reused(self) -> int:
        """Answers that were in the journal."""
        ...

    @property
    def description(self) -> JsonObject:
        """For the run's manifest; `usd` is what was paid. JSON values only, never a key."""
        ...

    def judge_items(self, rubric: Rubric, items: Sequence[Item]) -> Iterator[Judgment]:
        """One judgment of each item in each dimension, in any order."""
        ...

    def close(self) -> None:
        """Free the model."""
        ...


@dataclass(frozen=True, slots=True)
class JudgeOptions:
    """How a judge is asked."""

    arguments: Arguments = field(default_factory=dict)
    """The --judge-args. Those of all judges of a command are given to each of them."""
    ask: bool = True
    """False: only answers in the journal are used."""
    stopped: Callable[[], bool] = lambda: False
    """Whether no more is to be asked; what is on its way is waited for."""
    note: Callable[[str], None] = lambda line: None
    """Shows the user one line."""


@dataclass(frozen=True, slots=True)
class NamedJudge:
    """A judge as it was named on the command line, `PREFIX:MODEL`."""

    typed: str
    """Its name: without user and password of an address."""
    prefix: str
    model: str
    """What stands behind the colon."""
    spec: JudgeSpec

    def price(self, given: str | None) -> Price | None:
        """The price of the judge's tokens; None where it is not known. `given` is the price that the user states."""
        return self.spec.price(self, given)


def _free(judge: NamedJudge, given: str | None) -> Price | None:
    return FREE


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgeSpec:
    """One kind of judge."""

    name: str
    """The name of its entry point, and what stands before the colon of --judge where `forms` does not say more."""
    open: Callable[[NamedJudge, Journal, JudgeOptions], OpenJudge]
    """Opens a judge; called through `open_judge()` below."""
    forms: Callable[[], Mapping[str, str]] | None = None
    """What may stand before the colon, each with the form that help texts show: {"openai": "openai:MODEL[@URL]"}."""
    price: Callable[[NamedJudge, str | None], Price | None] = _free
    """What its tokens cost; None where that is not known."""
    priority: int = 0
    """The order in which help texts list the kinds: high first."""

    def all_forms(self) -> Mapping[str, str]:
        return {self.name: f"{self.name}:MODEL"} if self.forms is None else self.forms()


# ── finding ──────────────────────────────────────────────────────────────────


BACKENDS: PluginGroup[JudgeSpec] = PluginGroup(
    GROUP,
    JudgeSpec,
    shipped={name: f"evalkit.judging.backends.{name}:SPEC" for name in ("served", "local", "reward")},
)


def _by_prefix() -> dict[str, JudgeSpec]:
    specs = sorted(BACKENDS.working().values(), key=lambda spec: (-spec.priority, spec.name))
    by_prefix: dict[str, JudgeSpec] = {}
    for spec in specs:
        for prefix in spec.all_forms():
            by_prefix.setdefault(prefix, spec)
    return by_prefix


def judge_forms() -> str:
    """What --judge takes: `openai:MODEL[@URL], vllm:MODEL or hf:MODEL`."""
    *others, last = [spec.all_forms()[prefix] for prefix, spec in _by_prefix().items()]
    return f"{', '.join(others)} or {last}" if others else last


def parse_judge(typed: str) -> NamedJudge:
    """Parse `PREFIX:MODEL`."""
    prefix, colon, model = typed.partition(":")
    by_prefix = _by_prefix()
    if colon and model and prefix not in by_prefix and prefix in BACKENDS.declared():
        BACKENDS.find(prefix)  # raises: a plug-in that works has its forms among the prefixes
    if not colon or not model or prefix not in by_prefix:
        raise UsageError(f"--judge {without_userinfo(typed)}: {judge_forms()} is wanted{nearest(prefix, by_prefix)}")
    # A judge's name stands in results, journals and tables: user and password of its address do not belong there.
    return NamedJudge(without_userinfo(typed), prefix, model, by_prefix[prefix])


# ── opening ──────────────────────────────────────────────────────────────────


@contextmanager
def open_judge(
    named: NamedJudge, journal: Journal, options: JudgeOptions, *, spent: float = 0.0
) -> Iterator[OpenJudge]:
    """Open a judge for as long as the context lasts. `spent`: dollars of `max_usd` that other judges have used."""
    most = options.arguments.get("max_usd")
    if spent and most is not None:
        options = replace(options, arguments={**options.arguments, "max_usd": max(0.0, float(most) - spent)})
    opened = named.spec.open(named, journal, options)
    journal.name_model(opened.judge.fingerprint, f"judge {opened.judge.name}")
    try:
        yield opened
    finally:
        journal.flush()
        opened.close()
