"""New tasks from seeds: made, made again from recorded answers, shown and exported."""

from __future__ import annotations

import json as json_format
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evalkit.api.estimates import Estimate
from evalkit.api.output import as_html_table, write_all, write_to
from evalkit.api.synth_definitions import SynthExportArguments, SynthNewArguments, SynthReplayArguments
from evalkit.api.synth_folder import folder_made, write_pool
from evalkit.api.synth_shows import POOL_LABEL, pool_task
from evalkit.arguments import from_call
from evalkit.engines.spec import AUTO, engine_names, find_spec
from evalkit.errors import SynthesisError, UsageError, nearest
from evalkit.synth import Replay, read_recorded, replay
from evalkit.synth.alpaca_replay import AlpacaReplay, is_alpaca, replay_alpaca
from evalkit.synth.funnel import Funnel
from evalkit.synth.jsonl import as_lines
from evalkit.synth.making import Made, Order
from evalkit.synth.poolfile import POOL, pool_rows, read_pool
from evalkit.synth.recipe import recipe_named
from evalkit.synth.seeds import read_seed_tasks
from evalkit.synth.settings import is_own, remake
from evalkit.types import Arguments

if TYPE_CHECKING:
    import pandas as pd

    from evalkit.runner.synthesizing import Generator, Making

__all__ = ["NewPool", "SynthesizedPool", "synth_export", "synth_new", "synth_replay"]


@dataclass(frozen=True, eq=False, repr=False)
class SynthesizedPool:
    """The instructions that were kept, in order, and what became of the others."""

    rows: Sequence[Mapping[str, Any]]
    """As pool.jsonl has them."""
    counts: Funnel
    restarts: int | None = None
    """How often the random numbers of a recorded run began anew."""
    similarities: Mapping[str, int | None] | None = None
    """Of a recorded Alpaca run: how many similarities are recorded, and how many of them are equal."""

    def frame(self) -> pd.DataFrame:
        """One row for each instruction that was kept."""
        import pandas as pd

        names = [
            name for name in ("instruction", "avg_similarity_score", "split") if self.rows and name in self.rows[0]
        ]
        return pd.DataFrame([[row[name] for name in names] for row in self.rows], columns=names)

    def funnel(self) -> dict[str, object]:
        """How many prompts were answered, and how many candidates were refused, for which reason."""
        return {
            **asdict(self.counts),
            **({} if self.restarts is None else {"restarts": self.restarts}),
            **({} if self.similarities is None else {"similarities": dict(self.similarities)}),
        }

    def json(self) -> str:
        return json_format.dumps(self.funnel(), indent=1)

    def pool(self) -> str:
        """The lines of pool.jsonl."""
        return as_lines(self.rows)

    def __repr__(self) -> str:
        if self.similarities is None:
            return str(self.counts)
        return f"{self.counts}\n{self.similarities['equal']} of {self.similarities['recorded']} similarities are equal"

    def _repr_html_(self) -> str:
        return as_html_table(repr(self), self.frame())


@dataclass(frozen=True, eq=False, repr=False)
class NewPool(SynthesizedPool):
    """A pool that a model wrote."""

    folder: Path = Path()
    cost: Mapping[str, Any] | None = None
    asked: int = 0
    """Answers that were not in the journal."""
    reused: int = 0

    def json(self) -> str:
        answers = {"asked": self.asked, "reused": self.reused}
        return json_format.dumps(
            {"tasks": len(self.rows), "funnel": self.funnel(), "cost": self.cost, "answers": answers}, indent=1
        )

    def __repr__(self) -> str:
        held = sum(row["split"] == "held-out" for row in self.rows)
        usd = (self.cost or {}).get("usd")
        cost = "cost not known" if usd is None else f"{usd:.4f} dollars"
        return (
            f"{len(self.rows)} tasks in {self.folder / POOL}, {held} of them held out; {cost}\n{self.counts}\n"
            f"evaluate with --tasks alpaca:{self.folder / POOL}"
        )


def synth_new(
    seeds: str | Path | None = None,
    generator: str | None = None,
    *,
    n: int = 100,
    out: str | Path | None = None,
    recipe: str = "evalkit",
    about: str | None = None,
    novel_to: str | Sequence[str] = (),
    embedder: str | None = None,
    held_out: float = 0.2,
    seed: int = 42,
    model_args: str | Arguments | None = None,
    engine: str = "auto",
    device: str | None = None,
    batch_size: int | str = "auto",
    apply_chat_template: bool = False,
    trust_remote_code: bool = False,
    max_usd: float | None = None,
    dry_run: bool = False,
    data_dir: str | Path | None = None,
    include_path: str | Path | Sequence[str | Path] = (),
    output_path: str | Path = "results",
    journal: str | Path | None = None,
    json: str | Path | None = None,
    progress: bool = False,
) -> NewPool | Estimate:
    """Let a model write new tasks from seeds of one's own; `dry_run` gives an estimate of what that costs.

    Answers are kept in the journal: the same call goes on where it was stopped, and ends with the same pool.
    """
    asked = from_call(SynthNewArguments, locals())
    if asked.seeds is None:
        raise UsageError("--seeds FILE is missing: a JSONL file of at least eight tasks of your own")
    if asked.out is None and not asked.dry_run:
        raise UsageError("--out DIR is missing: the folder for the pool")
    model = _generator(asked)
    chosen = recipe_named(asked.recipe)
    tasks = read_seed_tasks(asked.seeds, max(8, chosen.examples))
    order = Order(tasks, chosen, asked.n, asked.seed, asked.about, asked.held_out)
    if asked.about and not chosen.aware:
        raise UsageError(f"--about goes with --recipe evalkit: {chosen.name} has a prompt of its own")
    if asked.dry_run:
        from evalkit.runner.synth_cost import estimate_pool

        estimate = Estimate(estimate_pool(order, model))
        write_all((asked.json, estimate.json))
        return estimate
    assert asked.out is not None
    pool = _made(asked, order, model, folder_made(asked.out), progress=progress and not asked.quiet)
    write_all((asked.json, pool.json))
    return pool


def _made(asked: SynthNewArguments, order: Order, model: Generator, out: Path, *, progress: bool) -> NewPool:
    from evalkit.reporting.progress import Progress
    from evalkit.runner.synth_cost import estimate_pool
    from evalkit.runner.synthesizing import make_pool

    with Progress.open(quiet=not progress) as shown:
        if asked.novel_to:
            from evalkit.runner.benchmarks import benchmark_documents
            from evalkit.synth.novelty import Novelty

            documents = benchmark_documents(asked.novel_to, asked.data_dir, asked.include_path, shown)
            order = replace(order, novelty=Novelty(document.question for document in documents))
        if asked.engine != AUTO or ":" in str(asked.generator):
            estimate = Estimate(estimate_pool(order, model))
            if find_spec(model.engine).costs_money:
                shown.note(f"{estimate.requests:,} requests, " + _dollars(estimate.usd))
        making: Making = make_pool(order, model, shown, asked.embedder)
    order = order if asked.embedder is None else replace(order, near=making.near)
    write_pool(out, order, making)
    pool = _new_pool(out, making)
    if making.made.exhausted:
        raise SynthesisError(
            f"nothing new came in {order.recipe.patience} requests: {len(pool.rows)} of {order.n} tasks are in"
            f" {out / POOL}. {making.made.funnel}. More or more varied seeds help, or --about"
        )
    return pool


def _dollars(usd: float | None) -> str:
    return "at an unknown price (--model-args price=IN/OUT)" if usd is None else f"at most about {usd:.2f} dollars"


def _new_pool(out: Path, making: Making) -> NewPool:
    rows = tuple(pool_rows(making.made.tasks))
    return NewPool(rows, making.made.funnel, folder=out, cost=making.cost, asked=making.asked, reused=making.reused)


def _generator(asked: SynthNewArguments) -> Generator:
    """The model that writes. `ENGINE:MODEL[@URL]` means --engine and base_url."""
    from evalkit.runner.synthesizing import Generator

    if asked.generator is None:
        raise UsageError("--generator MODEL is missing: which model writes? An alias, a path, or openai:MODEL")
    typed, engine, args = asked.generator, asked.engine, dict(asked.model_args)
    prefix, colon, rest = typed.partition(":")
    if colon and rest and prefix in engine_names() and not Path(typed).exists():
        if engine not in (AUTO, prefix):
            raise UsageError(f"--generator {typed} and --engine {engine} contradict each other: drop one")
        typed, engine = rest, prefix
        if find_spec(engine).is_served and "@http" in rest:
            typed, _, url = rest.partition("@http")
            args["base_url"] = f"http{url}"
    if asked.max_usd is not None:
        if engine == AUTO or not find_spec(engine).costs_money:
            raise UsageError("--max-usd is for models that cost money: name one as ENGINE:MODEL, or with --engine")
        args["max_usd"] = asked.max_usd
    return Generator(
        typed,
        asked.output_path,
        args,
        engine,
        asked.device,
        asked.batch_size,
        asked.apply_chat_template,
        asked.trust_remote_code,
        asked.seed,
        asked.journal,
    )


def synth_replay(
    folder: str | Path, *, out: str | Path | None = None, json: str | Path | None = None
) -> SynthesizedPool:
    """Make a recorded run again from its kept answers; no model is called."""
    asked = from_call(SynthReplayArguments, locals())
    if asked.out is None:
        raise UsageError(f"--out DIR is missing: the folder that {POOL} is written to")
    path = Path(folder)
    if is_own(path):
        again = _own(remake(path))
    else:
        again = _alpaca(replay_alpaca(path)) if is_alpaca(path) else _recorded(replay(read_recorded(path)))
    write_to(str(folder_made(asked.out) / POOL), again.pool())
    write_all((asked.json, again.json))
    return again


def _answers(folder: Path, out: Path) -> Path:
    """The pool's own answers, to be scored and judged as a run."""
    task = pool_task(folder)
    rows = [
        {"task": task, "doc_id": place, "output": row.instances[0].output if row.instances else ""}
        for place, row in enumerate(read_pool(folder))
    ]
    path = out / f"{POOL_LABEL}.jsonl"
    write_to(str(path), as_lines(rows))
    return path


def _own(made: Made) -> SynthesizedPool:
    return SynthesizedPool(tuple(pool_rows(made.tasks)), made.funnel)


def _recorded(again: Replay) -> SynthesizedPool:
    rows = tuple(
        {
            "instruction": new.instruction,
            "avg_similarity_score": new.average,
            "most_similar": dict(new.most_similar),
            "exchange": exchange.number,
        }
        for new, exchange in again.kept
    )
    return SynthesizedPool(rows, again.funnel, again.restarts)


def _alpaca(again: AlpacaReplay) -> SynthesizedPool:
    rows = tuple(
        {
            "instruction": task.kept.instruction,
            "input": task.instance.input,
            "output": task.instance.output,
            "avg_similarity_score": task.kept.average,
            "most_similar": dict(task.kept.most_similar),
            "exchange": task.number,
        }
        for task in again.tasks
    )
    recorded = None if again.compared is None else {"recorded": again.compared, "equal": again.equal}
    return SynthesizedPool(rows, again.funnel, similarities=recorded)


def synth_export(folder: str | Path, *, format: str | None = None, out: str | Path | None = None) -> list[Path]:
    """Write a pool in another format; the held-out tasks are in no format for training."""
    from evalkit.synth.exporting import ANSWERS, FORMATS, export_pool

    asked = from_call(SynthExportArguments, locals())
    if asked.format is None:
        raise UsageError(f"--format NAME is missing (one of {', '.join((*FORMATS, ANSWERS))})")
    if asked.format == ANSWERS:
        return [_answers(Path(folder), folder_made(asked.out or Path(folder) / "export"))]
    if asked.format not in FORMATS:
        known = (*FORMATS, ANSWERS)
        raise UsageError(
            f"--format {asked.format}: no such format{nearest(asked.format, known)} (one of {', '.join(known)})"
        )
    rows = read_pool(Path(folder))
    target = folder_made(asked.out or Path(folder) / "export")
    written = []
    for name, text in export_pool(rows, asked.format).items():
        write_to(str(target / name), text)
        written.append(target / name)
    return written
