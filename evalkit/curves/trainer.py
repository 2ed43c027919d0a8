"""What a trainer wrote beside a checkpoint: trainer_state.json, as transformers' Trainer and TRL write it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from evalkit.errors import RunFolderError
from evalkit.results.files import parse_json, read_regular
from evalkit.types import JsonObject

__all__ = ["STATE", "read_state"]

STATE = "trainer_state.json"


def read_state(folder: Path, axis: str) -> float | None:
    """Where on the axis the checkpoint in a folder stands; None where no state lies there or it does not say."""
    path = folder / STATE
    try:
        if not path.exists():
            return None
        state = parse_json(read_regular(path), path)
    except OSError as error:
        raise RunFolderError(f"{path} can't be read: {error.strerror or error}") from None
    except ValueError:  # a path with a null byte
        return None
    if not isinstance(state, Mapping):
        raise RunFolderError(f"{path} holds {type(state).__name__}, not an object")
    match axis:
        case "step":
            return _number(state.get("global_step"))
        case "epoch":
            return _number(state.get("epoch"))
        case "tokens":
            # 0: the trainer was not asked to count them.
            return _number(state.get("num_input_tokens_seen")) or _logged(
                state, ("num_input_tokens_seen", "num_tokens")
            )
        case _:
            return _logged(state, (axis,))


def _logged(state: JsonObject, names: tuple[str, ...]) -> float | None:
    """The last such figure of the log up to the checkpoint's step."""
    history, step = state.get("log_history"), _number(state.get("global_step"))
    figure = None
    for line in history if isinstance(history, list) else ():
        if not isinstance(line, Mapping) or (step is not None and (_number(line.get("step")) or 0) > step):
            continue
        figure = next((value for name in names if (value := _number(line.get(name)))), figure)
    return figure


def _number(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return None
    return value
