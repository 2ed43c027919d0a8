"""Reads with an encoder that has a question-answering head: marks the span of a context that answers a question.

A context longer than the window is read in parts that overlap by `stride` tokens. Each part scores its own spans and
its own "no answer" (the token for the whole part, as BERT's reading models are trained: Devlin et al. 2019, section
4.3); the likeliest spans of all parts are the n best, and the least of the parts' scores for no answer stands for the
whole context.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

import torch

from evalkit.engines.base import Passage, ReadAnswer
from evalkit.engines.huggingface.device import find_device
from evalkit.errors import CheckpointError, EngineError, UsageError, nearest
from evalkit.models.weights import refuse_differences
from evalkit.types import Located, ModelSpec, Span

__all__ = ["Reader", "ReadingOptions"]

_LARGEST_WINDOW = 512


@dataclass(frozen=True, slots=True)
class ReadingOptions:
    """--model-args of a reading model, with the defaults of the question-answering scripts of transformers."""

    max_length: int = 384
    """Tokens of question and context together in one part."""
    stride: int = 128
    """Tokens that two neighbouring parts of a long context share."""
    n_best: int = 20
    max_answer_length: int = 30
    """In tokens."""
    null_threshold: float = 0.0
    """By how much no answer has to score above the best span, where questions may have none."""
    batch_size: int = 16

    @classmethod
    def read(cls, args: Mapping[str, Any]) -> ReadingOptions:
        types: dict[str, type[int] | type[float]] = {
            field.name: float if field.name == "null_threshold" else int for field in fields(cls)
        }
        values: dict[str, Any] = {}
        for key, value in args.items():
            name = key.replace("-", "_")
            if name not in types:
                raise UsageError(f"--model-args {key}: a reading model takes {', '.join(types)}{nearest(name, types)}")
            try:
                values[name] = types[name](value)
            except (TypeError, ValueError):
                raise UsageError(f"--model-args {key}={value}: a number is wanted") from None
            if name != "null_threshold" and values[name] < (0 if name == "stride" else 1):
                raise UsageError(f"--model-args {key}={value}: a positive number is wanted")
        return cls(**values)


@dataclass(frozen=True, slots=True)
class _Part:
    """One window of a context: its tokens, and the characters that each token of the context stands for."""

    ids: list[int]
    types: list[int] | None
    places: list[tuple[int, int] | None]
    """None for a token of the question, and for special ones."""


class Reader:
    """A loaded reading model."""

    def __init__(self, model: ModelSpec, *, batch_size: str = "auto", device: str | None = None) -> None:
        args = dict(model.args)
        if batch_size != "auto":
            args.setdefault("batch_size", batch_size)
        self.options = ReadingOptions.read(args)
        self.device = find_device(device)
        self._tokenizer = _tokenizer(model)
        self._net = _net(model).to(self.device).eval()
        positions = getattr(self._net.config, "max_position_embeddings", None) or _LARGEST_WINDOW
        self.window = min(self.options.max_length, int(positions), _LARGEST_WINDOW * 8)
        self.tokens = 0
        """Tokens that went through the model."""

    @property
    def description(self) -> dict[str, Any]:
        """What the manifest keeps of it."""
        asked = self.options
        return {
            "name": "hf",
            "head": "question-answering",
            "dtype": str(self._net.dtype).removeprefix("torch."),
            "device": str(self.device),
            "max_length": self.window,
            "stride": asked.stride,
            "n_best": asked.n_best,
            "max_answer_length": asked.max_answer_length,
            "null_threshold": asked.null_threshold,
        }

    def read(self, passages: Sequence[Passage]) -> Iterator[ReadAnswer]:
        """The answers, in the order of the passages."""
        for passage in passages:
            parts = self._parts(passage)
            yield self._answer(passage, parts, self._logits(parts))

    # ── windows ──────────────────────────────────────────────────────────────

    def _parts(self, passage: Passage) -> list[_Part]:
        tokenizer = self._tokenizer
        question = passage.question
        special = tokenizer.num_special_tokens_to_add(pair=True)
        asked = tokenizer(question, add_special_tokens=False, return_offsets_mapping=True)
        most = max((self.window - special) // 2, 1)
        if len(asked["input_ids"]) > most:  # a question as long as the window would leave no room for the context
            question = question[: asked["offset_mapping"][most - 1][1]]
        room = self.window - special - min(len(asked["input_ids"]), most)
        encoded = tokenizer(
            question,
            passage.context,
            truncation="only_second",
            max_length=self.window,
            stride=min(self.options.stride, max(room // 2, 0)),
            return_overflowing_tokens=True,
            return_offsets_mapping=True,
        )
        parts = []
        for number, ids in enumerate(encoded["input_ids"]):
            owners, offsets = encoded.sequence_ids(number), encoded["offset_mapping"][number]
            places = [tuple(place) if owner == 1 else None for owner, place in zip(owners, offsets, strict=True)]
            types = encoded["token_type_ids"][number] if "token_type_ids" in encoded else None
            parts.append(_Part(ids, types, places))
        return parts

    def _logits(self, parts: Sequence[_Part]) -> list[tuple[list[float], list[float]]]:
        """Each part's scores for the first and the last token of an answer."""
        logits = []
        size = self.options.batch_size
        pad = self._tokenizer.pad_token_id or 0
        for first in range(0, len(parts), size):
            batch = parts[first : first + size]
            longest = max(len(part.ids) for part in batch)
            inputs = {
                "input_ids": [part.ids + [pad] * (longest - len(part.ids)) for part in batch],
                "attention_mask": [[1] * len(part.ids) + [0] * (longest - len(part.ids)) for part in batch],
            }
            if all(part.types is not None for part in batch):
                inputs["token_type_ids"] = [(part.types or []) + [0] * (longest - len(part.ids)) for part in batch]
            tensors = {name: torch.tensor(rows, device=self.device) for name, rows in inputs.items()}
            with torch.inference_mode():
                out = self._net(**tensors)
            starts, ends = out.start_logits.float().cpu(), out.end_logits.float().cpu()
            for row, part in enumerate(batch):
                width = len(part.ids)
                self.tokens += width
                logits.append((starts[row, :width].tolist(), ends[row, :width].tolist()))
        return logits

    # ── spans ────────────────────────────────────────────────────────────────

    def _answer(
        self, passage: Passage, parts: Sequence[_Part], logits: Sequence[tuple[list[float], list[float]]]
    ) -> ReadAnswer:
        if any(score != score for pair in logits for row in pair for score in row):
            raise EngineError("the reading model's scores are not numbers (NaN): its weights are broken")
        best: dict[tuple[int, int], float] = {}
        for part, (starts, ends) in zip(parts, logits, strict=True):
            for span, score in self._spans(passage.context, part, starts, ends):
                best[span] = max(score, best.get(span, score))
        ranked = sorted(best.items(), key=lambda item: (-item[1], item[0]))[: self.options.n_best]
        first = [self._whole(part) for part in parts]
        nothing = min(starts[at] + ends[at] for at, (starts, ends) in zip(first, logits, strict=True))
        shares = _softmax([*(score for _, score in ranked), *([nothing] if passage.may_have_none else [])])
        spans = tuple(
            Span(start, end, passage.context[start:end], share)
            for ((start, end), _), share in zip(ranked, shares, strict=False)
        )
        none = shares[-1] if passage.may_have_none else None
        if not ranked or (passage.may_have_none and nothing - ranked[0][1] > self.options.null_threshold):
            return ReadAnswer("", Located(None, none, spans))
        return ReadAnswer(spans[0].text, Located(spans[0], none, spans))

    def _whole(self, part: _Part) -> int:
        """The place of the token that stands for the whole part."""
        token = self._tokenizer.cls_token_id
        return part.ids.index(token) if token in part.ids else 0

    def _spans(
        self, context: str, part: _Part, starts: Sequence[float], ends: Sequence[float]
    ) -> Iterator[tuple[tuple[int, int], float]]:
        """The likeliest spans of one part, with their scores."""
        inside = [place for place, where in enumerate(part.places) if where is not None and where[1] > where[0]]
        most = self.options.n_best
        firsts = sorted(inside, key=lambda place: -starts[place])[:most]
        lasts = sorted(inside, key=lambda place: -ends[place])[:most]
        for first in firsts:
            for last in lasts:
                if not first <= last < first + self.options.max_answer_length:
                    continue
                here, there = part.places[first], part.places[last]
                assert here is not None
                assert there is not None
                span = _trimmed(context, here[0], there[1])
                if span is not None:
                    yield span, starts[first] + ends[last]


def _trimmed(context: str, start: int, end: int) -> tuple[int, int] | None:
    """Without blanks at its ends, which some tokenizers count to a word; None where nothing else is in it."""
    while start < end and context[start].isspace():
        start += 1
    while end > start and context[end - 1].isspace():
        end -= 1
    return (start, end) if start < end else None


def _softmax(scores: Sequence[float]) -> list[float]:
    return torch.softmax(torch.tensor(scores, dtype=torch.float64), 0).tolist() if scores else []


def _tokenizer(model: ModelSpec) -> Any:
    from transformers import AutoTokenizer

    try:
        tokenizer = AutoTokenizer.from_pretrained(
            model.tokenizer or model.source, local_files_only=True, trust_remote_code=model.trust_remote_code
        )
    except Exception as error:
        reason = " ".join(str(error).split())[:200]
        raise CheckpointError(f"{model.typed}: its tokenizer cannot be loaded ({reason})") from error
    if not tokenizer.is_fast:
        raise UsageError(
            f"{model.typed}: its tokenizer does not say which characters a token stands for; a folder with"
            " tokenizer.json is wanted (save it with AutoTokenizer.from_pretrained(…, use_fast=True))"
        )
    tokenizer.padding_side = "right"
    return tokenizer


def _net(model: ModelSpec) -> Any:
    from transformers import AutoModelForQuestionAnswering

    try:
        net, info = AutoModelForQuestionAnswering.from_pretrained(
            model.source,
            local_files_only=True,
            output_loading_info=True,
            trust_remote_code=model.trust_remote_code,
            dtype=None if model.dtype == "auto" else model.dtype,
        )
    except Exception as error:
        reason = " ".join(str(error).split())[:200]
        raise CheckpointError(f"{model.typed} cannot be loaded as a reading model ({reason})") from error
    # Encoders are often saved with a pooler or a language head that reading does not use.
    refuse_differences(model.typed, info["missing_keys"], ())
    return net
