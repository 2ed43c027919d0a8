"""Checks that a checkpoint has exactly the tensors that its model needs.

Libraries fill missing tensors with random numbers, and unexpected tensors mean that the configuration belongs to
another model: in both cases the figures would be meaningless. Tied weights and buffers that older versions saved are
allowed to differ.
"""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from evalkit.errors import CheckpointError
from evalkit.models.checkpoint import Checkpoint, first_few, weight_files
from evalkit.models.header import read_header
from evalkit.types import JsonObject

__all__ = ["check_against_architecture", "refuse_differences"]

_KNOWN_BUFFERS = re.compile(
    r"rotary_emb\.(inv_freq|cos_cached|sin_cached)$|\.(masked_bias|attn\.bias|attention\.bias|position_ids)$"
)


def refuse_differences(typed: str, missing: Iterable[str], unexpected: Iterable[str]) -> None:
    """Raise CheckpointError if tensors are missing, or if there are tensors that the model does not have."""
    absent, extra = _without_buffers(missing), _without_buffers(unexpected)
    if absent:
        raise CheckpointError(
            f"{typed}: {len(absent)} tensors that the model needs are not in its files ({first_few(absent)}); they "
            "would be filled with random numbers. It is half saved or half downloaded, or its config.json belongs to "
            "another model: copy or download it again."
        )
    if extra:
        raise CheckpointError(
            f"{typed}: its files hold {len(extra)} tensors that the model of its config.json does not have "
            f"({first_few(extra)}): config.json and weights belong to different models; copy or save them together."
        )


def check_against_architecture(typed: str, checkpoint: Checkpoint, *, trust_remote_code: bool = False) -> None:
    """Check the tensors' names for an engine that does not report missing ones. No weights are read.

    Nothing is checked if transformers does not know the architecture, or if weights are quantized: then only the
    quantizer knows the names.
    """
    if checkpoint.quantization is not None or not any(checkpoint.path.glob("*.safetensors")):
        return
    with _under_names_of_transformers(checkpoint.path) as folder:
        info = _loading_info(folder, trust_remote_code)
    if info is not None:
        refuse_differences(typed, info["missing_keys"], info["unexpected_keys"])


@contextmanager
def _under_names_of_transformers(folder: Path) -> Iterator[Path]:
    """A folder in which transformers finds the weights; vLLM takes files of any name, without an index."""
    index, files = "model.safetensors.index.json", weight_files(folder)
    if (folder / index).is_file() or [file.name for file in files] == ["model.safetensors"]:
        yield folder
        return
    with tempfile.TemporaryDirectory(prefix="evalkit-weights-") as made:
        for file in folder.iterdir():
            # What is no file cannot be read; an index that is a dead link or a pipe must not be written through.
            if file.name != index and (file.is_file() or file.is_dir()):
                (Path(made) / file.name).symlink_to(file.absolute())
        names = {tensor: file.name for file in files for tensor in read_header(file)}
        (Path(made) / index).write_text(json.dumps({"metadata": {}, "weight_map": names}), encoding="utf-8")
        yield Path(made)


def _loading_info(folder: Path, trust_remote_code: bool) -> JsonObject | None:
    """The missing and unexpected tensors that transformers reports; None if it cannot build the model."""
    from transformers import AutoModelForCausalLM
    from transformers.utils import logging

    before, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        _, info = AutoModelForCausalLM.from_pretrained(
            folder,
            device_map="meta",  # build the model without memory: only the headers of the files are read
            dtype="auto",
            output_loading_info=True,
            local_files_only=True,
            trust_remote_code=trust_remote_code,
        )
        return dict(info)
    except Exception:
        return None
    finally:
        logging.set_verbosity(before)
        if bars:
            logging.enable_progress_bar()


def _without_buffers(names: Iterable[str]) -> list[str]:
    return sorted(str(name) for name in names if not _KNOWN_BUFFERS.search(str(name)))
