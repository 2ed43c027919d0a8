"""Models without a tokenizer or a configuration."""

from __future__ import annotations

from pathlib import Path

import pytest

from evalkit.errors import CheckpointError
from evalkit.tokens import Tokenizer
from tests.helpers.checkpoints import make_checkpoint
from tests.helpers.tokenizing import spec


def test_a_model_without_a_tokenizer_or_a_configuration_says_so(tmp_path: Path) -> None:
    model = make_checkpoint(tmp_path / "m")
    for path in model.glob("tokenizer*"):
        path.unlink()
    with pytest.raises(CheckpointError, match="tokenizer cannot be loaded"):
        Tokenizer.load(spec(model))
    other = make_checkpoint(tmp_path / "n")
    (other / "config.json").write_text("{broken")
    with pytest.raises(CheckpointError):
        Tokenizer.load(spec(other))
