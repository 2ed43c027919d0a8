"""The vectors of texts, from a server's /embeddings."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from evalkit.engines.openai.keys import find_key
from evalkit.engines.openai.options import Options, base_url_of, userinfo_of
from evalkit.engines.openai.server import Ok, Overloaded, Refused, Server
from evalkit.errors import EngineError
from evalkit.models.fingerprint import model_fingerprint

__all__ = ["ServerEmbedder"]

_TRIES = 5


class ServerEmbedder:
    def __init__(self, model: str, url: str | None) -> None:
        given = {"base_url": url}
        base_url = base_url_of(given)
        self.model = model
        self.fingerprint = model_fingerprint(f"embeddings:{model}", url=base_url)
        options = Options()
        key = find_key(options.key_env, base_url, userinfo_of(given))
        self._server = Server(base_url, key, 1, options.max_reply_mb << 20)
        self._timeout = float(options.timeout)
        self._loop = asyncio.new_event_loop()

    def embed(self, texts: Sequence[str]) -> list[list[float]]:
        """One vector for each text. EngineError where the server gives none."""
        return self._loop.run_until_complete(self._embed(list(texts)))

    def close(self) -> None:
        if not self._loop.is_closed():
            self._loop.run_until_complete(self._server.close())
            self._loop.close()

    async def _embed(self, texts: list[str]) -> list[list[float]]:
        body = {"model": self.model, "input": texts}
        reason = ""
        for attempt in range(_TRIES):
            reply = await self._server.post("/embeddings", body, self._timeout)
            if isinstance(reply, Ok):
                return self._vectors(reply.body.get("data"), len(texts))
            reason = reply.reason
            if isinstance(reply, Refused):
                break
            wait = reply.retry_after if isinstance(reply, Overloaded) else None
            await asyncio.sleep(0.5 * 2**attempt if wait is None else wait)
        raise EngineError(f"--embedder {self.model}: {reason}")

    def _vectors(self, data: object, wanted: int) -> list[list[float]]:
        try:
            assert isinstance(data, list)
            ordered = sorted(data, key=lambda row: int(row.get("index", 0)))
            vectors = [[float(value) for value in row["embedding"]] for row in ordered]
        except (AssertionError, AttributeError, KeyError, TypeError, ValueError, OverflowError):
            raise EngineError(f"--embedder {self.model}: the server sent no vectors") from None
        if len(vectors) != wanted or len({len(vector) for vector in vectors}) != 1:
            raise EngineError(f"--embedder {self.model}: the server sent {len(vectors)} vectors for {wanted} texts")
        return vectors
