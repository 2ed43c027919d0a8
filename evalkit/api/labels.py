"""People's labels of answers, read for the verbs that correct a judge's figures."""

from __future__ import annotations

from pathlib import Path

from evalkit.comparison import Labels

__all__ = ["read_labels_of"]


def read_labels_of(path: Path | None) -> Labels | None:
    """The labels of a file, as `evalkit judge calibrate` takes them; None where there is no file."""
    if path is None:
        return None
    from evalkit.judging.records import read_labels

    return read_labels(path)
