"""How good a checkpoint is on `mini`: `python -m tools.nano.evaluate [FOLDER]`.

Prompts, engine, scoring and sandbox are evalkit's own; this only puts the figures beside chance.
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from evalkit.engines.base import Engine
from evalkit.engines.huggingface import load
from evalkit.planning import plan
from evalkit.registry import Registry, Task
from evalkit.sandbox import Sandbox
from evalkit.tokens import ChatTemplate, Tokenizer
from evalkit.types import Answer, ModelSpec

__all__ = ["Result", "evaluate", "main", "wilson"]

NANO = Path(__file__).parents[2] / "evalkit" / "_models" / "nano"


@dataclass(frozen=True, slots=True)
class Result:
    task: str
    metric: str
    right: int
    documents: int
    chance: float
    seconds: float

    @property
    def interval(self) -> tuple[float, float]:
        return wilson(self.right, self.documents)


def wilson(right: int, n: int, z: float = 1.959964) -> tuple[float, float]:
    """Wilson (1927), the score interval of a proportion."""
    p = right / n
    middle = (p + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    return middle - half, middle + half


def evaluate(folder: Path, names: Sequence[str], limit: int | None = None, chat: bool = False) -> list[Result]:
    spec = ModelSpec(typed="nano", source=str(folder), dtype="float32")
    with Sandbox.start() as sandbox:
        tokenizer = Tokenizer.load(spec)
        engine = load(spec, tokenizer, ())
        try:
            run = _Run(tokenizer, engine, sandbox, limit, tokenizer.chat() if chat else None)
            return [run.task(task) for task in Registry().load(list(names)).tasks.values()]
        finally:
            engine.close()


@dataclass(frozen=True, slots=True)
class _Run:
    tokenizer: Tokenizer
    engine: Engine
    sandbox: Sandbox
    limit: int | None
    template: ChatTemplate | None

    def task(self, task: Task) -> Result:
        began = time.perf_counter()
        documents = task.build(self.limit, chat_template=self.template, fewshot_as_multiturn=self.template is not None)
        encoded = iter(self.tokenizer.encode([r for document in documents for r in document.requests]))
        asked = [[next(encoded) for _ in document.requests] for document in documents]
        plans = plan([token for each in asked for one in each for token in one.requests])
        answers: dict[int, Answer] = {}
        for answer in self.engine.run(iter(plans)):
            answers.update(dict.fromkeys(plans.owners(answer.id), answer))
        scorer, rows = task.scorer(), []
        for document, each in zip(documents, asked, strict=True):
            mine = [one.fold([answers[token.id] for token in one.requests]) for one in each]
            programs = task.programs(document, mine)
            rows += scorer.add(document, mine, self.sandbox.judge(programs) if programs else None)
        rows += scorer.finish()
        metric, filtered = task.headline.split(",")
        right = round(sum(float(row.metrics[metric]) for row in rows if row.filter == filtered))
        seconds = time.perf_counter() - began
        return Result(task.name, task.headline, right, len(documents), task.chance or 0.0, seconds)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, nargs="?", default=NANO)
    parser.add_argument("--tasks", default="mini")
    parser.add_argument("--limit", type=int)
    parser.add_argument("--chat", action="store_true", help="with nano's chat template")
    args = parser.parse_args()
    for each in evaluate(args.folder, args.tasks.split(","), args.limit, args.chat):
        low, high = each.interval
        print(
            f"{each.task:16} {each.metric:26} {each.right / each.documents:.3f}  "
            f"[{low:.3f}, {high:.3f}]  chance {each.chance:.2f}  n {each.documents}  {each.seconds:.1f} s"
        )


if __name__ == "__main__":
    main()
