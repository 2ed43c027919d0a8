"""The real vLLM's worker, which loses its outputs for prompts that begin with one token: see `losing`."""

from __future__ import annotations

import sys
from typing import Any

import pytest

from evalkit.engines.vllm.client import Client
from evalkit.engines.vllm.process import Worker

LOST = 13
"""The first token of a prompt whose outputs are lost."""


def losing(patch: pytest.MonkeyPatch) -> None:
    """Let engines that are loaded from now on have this worker."""
    patch.setattr("evalkit.engines.vllm.engine.Worker", lambda module: Worker(__name__))


def main() -> None:
    from evalkit.engines.vllm import worker

    step = Client.step

    def step_and_lose(self: Client) -> list[Any]:
        return [output for output in step(self) if output.prompt_token_ids[0] != LOST]

    setattr(Client, "step", step_and_lose)  # noqa: B010 — a method
    worker.main(int(sys.argv[1]), int(sys.argv[2]))


if __name__ == "__main__":
    import os

    main()
    os._exit(0)
