"""How good a checkpoint is on `mini`: `python -m tools.nano.evaluate [FOLDER]`.

Prompts, engine, scoring and sandbox are evalkit's own; this only puts the figures beside chance.
"""

from __future__ import annotations

import argparse
import math
import time
from dataclasses import dataclass
from pathlib import Path

from evalkit.engines.huggingface import load
from evalkit.planning import plan
from evalkit.registry import Registry, Task
from evalkit.sandbox import Sandbox
from evalkit.tokens import Tokenizer
from evalkit.types import Answer, Generated, ModelSpec, Scored

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


def evaluate(folder: Path, names: list[str], limit: int | None = None, chat: bool = False) -> list[Result]:
    spec = ModelSpec(typed="nano", source=str(folder), dtype="float32")
    with Sandbox.start() as sandbox:
        tokenizer = Tokenizer.load(spec)
        engine = load(spec, tokenizer, ())
        try:
            template = tokenizer.chat() if chat else None
            suite = Registry().load(names)
            return [_task(task, tokenizer, engine, sandbox, limit, template) for task in suite.tasks.values()]
        finally:
            engine.close()


def _task(task: Task, tokenizer: Tokenizer, engine: object, sandbox: Sandbox, limit: int | None, template: object) -> Result:
    began = time.perf_counter()
    documents = task.build(limit, chat_template=template, fewshot_as_multiturn=template is not None)
    encoded = tokenizer.encode([request for document in documents for request in document.requests])
    plans = plan([token for each in encoded for token in each.requests])
    answers: dict[int, Answer] = {}
    for answer in engine.run(iter(plans)):
        for owner in plans.owners(answer.id):
            answers[owner] = answer
    scorer, rows, left = task.scorer(), [], iter(encoded)
    for document in documents:
        mine = [each.fold([answers[token.id] for token in each.requests]) for each, _ in zip(left, document.requests)]
        programs = task.programs(document, mine)
        rows += scorer.add(document, mine, sandbox.judge(programs) if programs else None)
    rows += scorer.finish()
    metric, filtered = task.headline.split(",")
    values = [row.metrics[metric] for row in rows if row.filter == filtered]
    right = round(sum(float(value) for value in values))
    return Result(task.name, task.headline, right, len(documents), task.chance or 0.0, time.perf_counter() - began)


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
