"""--embedder openai:MODEL[@URL]: vectors of texts, each asked once and kept in the journal."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from evalkit.engines.spec import all_specs
from evalkit.errors import UsageError
from evalkit.journal import Journal, Keyer

__all__ = ["open_embedder"]


@contextmanager
def open_embedder(typed: str, journal: Journal) -> Iterator[Callable[[Sequence[str]], list[list[float]]]]:
    """A function that gives texts their vectors."""
    prefix, _, rest = typed.partition(":")
    model, _, url = rest.partition("@")
    spec = all_specs().get(prefix)
    if spec is None or spec.open_embedder is None or not model:
        able = [f"{spec.name}:MODEL[@URL]" for spec in all_specs().values() if spec.open_embedder is not None]
        raise UsageError(f"--embedder {typed}: {' or '.join(able)} is wanted")
    embedder = spec.open_embedder(model, url or None)
    keyer = Keyer(embedder.fingerprint, "embeddings/1")
    journal.name_model(embedder.fingerprint, f"embeddings of {model}")

    def embed(texts: Sequence[str]) -> list[list[float]]:
        keys = [keyer.of_json(["embedding", text]) for text in texts]
        kept = dict(journal.get_json(keys))
        missing = [text for text, key in zip(texts, keys, strict=True) if key not in kept]
        if missing:
            for text, vector in zip(missing, embedder.embed(missing), strict=True):
                key = keyer.of_json(["embedding", text])
                kept[key] = vector
                journal.put_json(key, vector)
        return [kept[key] for key in keys]

    try:
        yield embed
    finally:
        embedder.close()
