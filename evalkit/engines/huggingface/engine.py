"""The engine's loop: takes work, scores and generates alternately, and yields answers as they finish."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from evalkit.engines.huggingface.options import Options
from evalkit.errors import EngineError, EvalkitError
from evalkit.models import checkpoint
from evalkit.types import Adapter, Answer, Generate, JsonObject, ModelSpec, Score, Usage, Work

if TYPE_CHECKING:
    from evalkit.engines.huggingface.generators import Generators
    from evalkit.engines.huggingface.memory import Budget
    from evalkit.engines.huggingface.model import Model
    from evalkit.engines.huggingface.score import Scorer

__all__ = ["HuggingFaceEngine", "assemble", "load"]

_log = logging.getLogger("evalkit")

_WINDOW_ITEMS = 256
_WINDOW_TOKENS = 1 << 18
"""How many contexts are searched together for shared prefixes. Cached prefixes are reused in the next window."""

_STEPS = 8
"""Tokens generated between two batches of scoring."""


class HuggingFaceEngine:
    """A model in transformers, which scores and generates."""

    name = "hf"

    def __init__(
        self,
        model: Model,
        budget: Budget,
        scorer: Scorer,
        generator: Generators,
        usage: Usage,
        description: JsonObject,
    ) -> None:
        self.usage = usage
        self.resting = False
        self._model: Model | None = model
        self._budget = budget
        self._scorer = scorer
        self._generator = generator
        self._description = dict(description)

    @property
    def description(self) -> JsonObject:
        return self._description

    def run(self, work: Iterator[Work | None]) -> Iterator[Answer]:
        if self._model is None:
            raise EngineError("the hf engine was closed")
        try:
            yield from self._run(work)
        except EvalkitError:
            raise
        except RuntimeError as error:
            from evalkit.engines.huggingface.model import one_line

            raise EngineError(f"the hf engine cannot go on: {one_line(error)}") from error
        finally:
            self._count_cached()

    def _run(self, work: Iterator[Work | None]) -> Iterator[Answer]:
        window: list[Score] = []
        scoring: Iterator[list[Answer]] = iter(())
        ended = False
        self.resting = False
        while True:
            idle = False
            while not (ended or idle or _full(window)) and self._generator.hungry:
                item = next(work, _END)
                self.resting = self.resting and item is None
                match item:
                    case _End():
                        ended = True
                    case None:
                        idle = True
                    case Score():
                        window.append(item)
                    case Generate():
                        yield from self._generator.add(item)
            for answers in self._generator.advance(_STEPS):
                yield from answers
            batch = next(scoring, None)
            if batch is not None:
                yield from batch
            elif window:
                scoring = self._scorer.run(window)
                window = []
            elif not self._generator.busy:
                self._count_cached()
                if ended:
                    return
                if idle:
                    self.resting = True
                    time.sleep(0.001)

    def _count_cached(self) -> None:
        """Set the number of prompt tokens that were not computed. It is exact when no work is in progress."""
        self.usage.cached = max(0, self.usage.prompt - self.usage.computed)

    def close(self) -> None:
        if self._model is not None:
            self._model.close()
            self._model = None


class _End:
    pass


_END = _End()


def _full(window: list[Score]) -> bool:
    return len(window) >= _WINDOW_ITEMS or sum(len(item.context) for item in window) >= _WINDOW_TOKENS


def load(spec: ModelSpec, tokenizer: Any = None, adapters: Sequence[Adapter] = (), **options: Any) -> HuggingFaceEngine:
    """Load a model. `options`: --model-args by name, which override `spec.args`; None is ignored."""
    folder = checkpoint.resolve(spec)
    facts = checkpoint.inspect(folder, trust_remote_code=spec.trust_remote_code)
    arguments = {**spec.args, **{name: value for name, value in options.items() if value is not None}}
    given = Options.of(arguments, _config_fields(folder, spec.trust_remote_code))
    try:
        from evalkit.engines.huggingface.adapters import attach
        from evalkit.engines.huggingface.model import Model
    except ImportError as error:
        raise EngineError(
            f"the hf engine needs PyTorch and transformers ({error}): type `pip install 'lm-evalkit[hf]'`"
        ) from None
    words = getattr(tokenizer, "hf", tokenizer) or _tokenizer(spec, str(folder))
    model = Model.load(spec, facts, given)
    attach(model, adapters)
    return assemble(model, words, given, [adapter.name for adapter in adapters])


def assemble(model: Model, words: Any, given: Options, adapters: Sequence[str] = ()) -> HuggingFaceEngine:
    """The engine around a loaded model, on the fastest paths that give the plain path's answers."""
    import torch
    import transformers

    from evalkit.engines.huggingface.debias import DebiasingGenerator
    from evalkit.engines.huggingface.generate import Generator
    from evalkit.engines.huggingface.generate_plain import PlainGenerator
    from evalkit.engines.huggingface.generators import Generators
    from evalkit.engines.huggingface.memory import Budget
    from evalkit.engines.huggingface.score import Scorer
    from evalkit.engines.huggingface.selftest import choose_paths
    from evalkit.engines.huggingface.text import Texts

    budget = Budget.of(model, given)
    paths = choose_paths(model, budget, words, given.scoring_path)
    for note in paths.notes:
        _log.warning("hf engine: %s", note)
    usage = Usage()
    texts = Texts(words, model.eos_ids, given.think_end_token, given.think_start_token, opened=given.think_open)
    plain = Generator(model, budget, usage, texts) if paths.together else PlainGenerator(model, usage, texts)
    debiasing = DebiasingGenerator(model, budget, usage, texts, words) if paths.together else None
    generator = Generators(plain, debiasing)
    return HuggingFaceEngine(
        model,
        budget,
        Scorer(model, budget, usage, paths.scoring),
        generator,
        usage,
        {
            "name": "hf",
            "transformers": transformers.__version__,
            "torch": torch.__version__,
            **({"peft": _version("peft")} if adapters else {}),
            "device": str(model.device),
            "dtype": str(model.dtype).removeprefix("torch."),
            "attention": model.attention,
            "max_length": model.window,
            "scoring_path": paths.scoring,
            "generation_path": "batched" if paths.together else "plain",
            "batch_tokens": budget.tokens,
            "batch_size": given.batch_size,
            "adapters": list(adapters),
            "think_end_token": given.think_end_token,
            "notes": list(paths.notes),
        },
    )


def _config_fields(folder: Any, trust_remote_code: bool) -> frozenset[str]:
    from transformers import AutoConfig

    config = AutoConfig.from_pretrained(folder, trust_remote_code=trust_remote_code, local_files_only=True)
    return frozenset(config.to_dict())


def _tokenizer(spec: ModelSpec, folder: str) -> Any:
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(spec.tokenizer or folder, trust_remote_code=spec.trust_remote_code)


def _version(distribution: str) -> str | None:
    from importlib import metadata

    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return None
