"""A reward model as a judge: `--judge reward:DIR`, a sequence-classification head of transformers with one output.

Reads weights from safetensors only, and runs no code of the checkpoint.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evalkit.errors import CheckpointError, UsageError
from evalkit.judging.backends.spec import JudgeOptions, JudgeSpec, NamedJudge

if TYPE_CHECKING:
    from evalkit.journal import Journal
    from evalkit.judging.backends.scalar import ScalarJudge, ScalarRequest

__all__ = ["SPEC"]

_BATCH = 16


def _forms() -> Mapping[str, str]:
    return {"reward": "reward:DIR"}


class _Rewards:
    """Scores a batch of answers at a time: longer ones together, so that little is padded."""

    def __init__(self, source: str, tokenizer: Any, model: Any, batch: int) -> None:
        self._source, self._tokenizer, self._model, self._batch = source, tokenizer, model, batch
        window = int(getattr(model.config, "max_position_embeddings", 0) or 0)
        self._window = window if 0 < window < 1_000_000 else None

    def __call__(self, requests: Sequence[ScalarRequest]) -> list[float | str]:
        ids = [self._ids(request.inputs) for request in requests]
        values: list[float | str] = ["" for _ in requests]
        fit = []
        for number, tokens in enumerate(ids):
            if self._window is not None and len(tokens) > self._window:
                values[number] = f"too long for the judge: {len(tokens)} tokens, its window is {self._window}"
            else:
                fit.append(number)
        fit.sort(key=lambda number: len(ids[number]))
        for start in range(0, len(fit), self._batch):
            some = fit[start : start + self._batch]
            for number, value in zip(some, self._scores([ids[number] for number in some]), strict=True):
                values[number] = value
        return values

    def _ids(self, inputs: Mapping[str, str]) -> list[int]:
        """The tokens of the question with its answer: by the chat template, or as a pair of texts."""
        asked = inputs.get("conversation") or inputs.get("instruction") or ""
        if inputs.get("context"):
            asked = f"{asked}\n\n{inputs['context']}"
        answer = inputs.get("answer", "")
        if getattr(self._tokenizer, "chat_template", None):
            turns = [{"role": "user", "content": asked}, {"role": "assistant", "content": answer}]
            text = self._tokenizer.apply_chat_template(turns, tokenize=False)
            return list(self._tokenizer.encode(text, add_special_tokens=False))
        return list(self._tokenizer.encode(asked, answer) if asked else self._tokenizer.encode(answer))

    def _scores(self, ids: Sequence[Sequence[int]]) -> list[float]:
        import torch

        longest = max(map(len, ids))
        pad = self._tokenizer.pad_token_id
        if pad is None:
            pad = getattr(self._model.config, "pad_token_id", None) or 0
        rows = torch.tensor([[*one, *[pad] * (longest - len(one))] for one in ids], device=self._model.device)
        mask = torch.tensor([[1] * len(one) + [0] * (longest - len(one)) for one in ids], device=self._model.device)
        with torch.inference_mode():
            logits = self._model(input_ids=rows, attention_mask=mask).logits.float()
        return [float(value) for value in logits[:, 0]]


def _open(named: NamedJudge, journal: Journal, options: JudgeOptions) -> ScalarJudge:
    from evalkit.judging.backends.scalar import ScalarJudge
    from evalkit.judging.judgment import Judge
    from evalkit.models.fingerprint import fingerprint, model_fingerprint

    source = named.model
    folder = Path(source).expanduser()
    weights = fingerprint(folder) if folder.is_dir() else source
    judge = Judge(named.typed, model_fingerprint(weights, engine="reward"))
    if not options.ask:
        return ScalarJudge(judge, journal, lambda requests: ["not asked"] * len(requests), options)
    tokenizer, model = _load(named.typed, str(folder) if folder.is_dir() else source)
    batch = options.arguments.get("batch_size", _BATCH)
    if not isinstance(batch, int) or batch < 1:
        raise UsageError(f"--judge-args batch_size={batch}: a number from 1 is wanted")
    about = {"name": "reward", "source": source, "architecture": type(model).__name__}
    return ScalarJudge(judge, journal, _Rewards(source, tokenizer, model, batch), options, about)


def _load(typed: str, source: str) -> tuple[Any, Any]:
    try:
        from transformers import AutoConfig, AutoModelForSequenceClassification, AutoTokenizer
    except ImportError:
        raise UsageError(f'--judge {typed} needs transformers: pip install "lm-evalkit[hf]"') from None
    try:
        config = AutoConfig.from_pretrained(source, trust_remote_code=False)
        tokenizer = AutoTokenizer.from_pretrained(source, trust_remote_code=False)
    except Exception as error:
        raise _broken(typed, error) from error
    if not any("SequenceClassification" in name for name in (config.architectures or [])):
        raise UsageError(
            f"--judge {typed}: {', '.join(config.architectures or ['this model'])} gives no score; a reward model has a"
            " sequence-classification head"
        )
    if config.num_labels != 1:
        raise UsageError(f"--judge {typed}: its head has {config.num_labels} outputs; a reward model has one")
    try:
        model = AutoModelForSequenceClassification.from_pretrained(
            source, trust_remote_code=False, use_safetensors=True
        )
    except Exception as error:
        raise _broken(typed, error) from error
    if getattr(model.config, "pad_token_id", None) is None:
        # Models of this kind look for the last token that is no padding.
        model.config.pad_token_id = (
            tokenizer.pad_token_id if tokenizer.pad_token_id is not None else tokenizer.eos_token_id
        )
    return tokenizer, model.eval()


def _broken(typed: str, error: Exception) -> CheckpointError:
    details = " ".join(str(error).split())[:200]
    return CheckpointError(f"--judge {typed} cannot be loaded: {type(error).__name__}: {details}")


SPEC = JudgeSpec(name="reward", open=_open, forms=_forms, priority=5)
