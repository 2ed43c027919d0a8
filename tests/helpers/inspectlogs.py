"""Logs that the real inspect_ai writes, with its own mock model: `python -m tests.helpers.inspectlogs FOLDER`.

Beside each log stands `<log>.said`: what inspect_ai's own reader says is in it.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any


def outputs(wrong_every: int) -> Iterator[Any]:
    """Answers to "What is A+2?" in the order of asking; the usage is given, for counting it asks the network."""
    from inspect_ai.model import ModelOutput, ModelUsage

    for i in range(10_000):
        text = "dunno" if i % 7 == 3 else f"The answer is {i % 8 + 2 + (i % wrong_every == 0)}"
        output = ModelOutput.from_content("mockllm/model", text, stop_reason="max_tokens" if i % 8 == 5 else "stop")
        output.usage = ModelUsage(input_tokens=1, output_tokens=1, total_tokens=2)
        yield output


def main(folder: Path) -> None:
    from inspect_ai import Epochs, Task
    from inspect_ai import eval as evaluate
    from inspect_ai.dataset import MemoryDataset, Sample
    from inspect_ai.log import read_eval_log
    from inspect_ai.model import get_model
    from inspect_ai.scorer import Score, accuracy, grouped, includes, match, mean, scorer, std, stderr
    from inspect_ai.solver import Generate, TaskState, chain_of_thought, generate, solver

    @scorer(metrics={"length": [mean(), stderr()], "good": [accuracy()]})
    def sized() -> Any:
        async def score(state: TaskState, target: Any) -> Score:
            text = state.output.completion
            return Score(value={"length": len(text), "good": "C" if target.text in text else "P"}, answer=text)

        return score

    @scorer(metrics=[accuracy(), stderr(cluster="topic"), std(), grouped(accuracy(), "topic")])
    def lenient() -> Any:
        async def score(state: TaskState, target: Any) -> Score:
            text = state.output.completion
            if target.text == "6":
                return Score.unscored(explanation="the grader failed")
            return Score(value="N" if text == "dunno" else "C" if target.text in text else "I", answer=text)

        return score

    @solver
    def breaking() -> Any:
        async def solve(state: TaskState, generate: Generate) -> TaskState:
            if state.sample_id == 4:
                raise ValueError("the tool broke")
            return await generate(state)

        return solve

    @solver
    def dying() -> Any:
        async def solve(state: TaskState, generate: Generate) -> TaskState:
            if state.sample_id == 4:
                os._exit(9)
            return await generate(state)

        return solve

    samples = [
        Sample(input=f"What is {a}+2?", target=str(a + 2), id=a, metadata={"topic": "odd" if a % 2 else "even"})
        for a in range(8)
    ]
    data = MemoryDataset(samples, name="sums")
    several = [match(), includes(), sized(), lenient()]

    def log(name: str, *, wrong_every: int = 5, kind: str = "eval", **asked: Any) -> None:
        settings = {
            key: asked.pop(key) for key in ("limit", "fail_on_error", "log_samples", "log_buffer") if key in asked
        }
        task = Task(name="sums", **{"dataset": data, "solver": [generate()], "scorer": several, **asked})
        model = get_model("mockllm/model", custom_outputs=outputs(wrong_every), memoize=False)
        evaluate(
            task,
            model=model,
            log_dir=str(folder / name),
            log_format=kind,  # type: ignore[arg-type]
            display="none",
            max_samples=1,
            **settings,
        )
        [written] = [path for path in (folder / name).iterdir() if path.suffix in (".eval", ".json")]
        said = read_eval_log(str(written))
        (folder / f"{name}.said").write_text(
            json.dumps(
                {
                    "status": said.status,
                    "scores": [score.model_dump() for score in said.results.scores] if said.results else None,
                    "path": str(written),
                }
            )
        )

    log("plain")
    log("other", wrong_every=3)
    log("json", kind="json")
    log("epochs", epochs=3)
    log("mode", wrong_every=2, epochs=Epochs(3, ["mode", "pass_at_2"]), scorer=[includes(), match()])
    log("limited", limit=3)
    log("bare", log_samples=False)
    log("prompted", solver=[chain_of_thought(), generate()])
    log("errors", solver=[breaking()], fail_on_error=False)
    log("failed", solver=[breaking()])
    log("killed", solver=[dying()], log_buffer=1)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
