"""All that generates: the plain generator, and the one for requests with self-debiasing."""

from __future__ import annotations

from collections.abc import Iterator

from evalkit.engines.huggingface.debias import DebiasingGenerator
from evalkit.engines.huggingface.debias_rule import debias_of
from evalkit.engines.huggingface.generate import Generator
from evalkit.engines.huggingface.generate_plain import PlainGenerator
from evalkit.types import Answer, Failed, Generate

__all__ = ["Generators"]


class Generators:
    """Hands each request to the generator that serves it."""

    def __init__(self, plain: Generator | PlainGenerator, debiasing: DebiasingGenerator | None) -> None:
        """`debiasing`: None for a model whose KV cache cannot be split."""
        self._plain = plain
        self._debiasing = debiasing

    @property
    def busy(self) -> bool:
        return self._plain.busy or (self._debiasing is not None and self._debiasing.busy)

    @property
    def hungry(self) -> bool:
        return self._plain.hungry and (self._debiasing is None or self._debiasing.hungry)

    def add(self, item: Generate) -> list[Answer]:
        if debias_of(item.sampling) is None:
            return self._plain.add(item)
        if self._debiasing is None:
            reason = "self-debiasing needs a model whose KV cache can be split into rows, and this one's cannot"
            return [Failed(id, reason) for id in item.ids]
        return self._debiasing.add(item)

    def advance(self, steps: int) -> Iterator[list[Answer]]:
        yield from self._plain.advance(steps)
        if self._debiasing is not None:
            yield from self._debiasing.advance(steps)
