"""Documents that a training run forgot: worse at the last point than at the best, and from which point on."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from evalkit.curves.documents import Documents
from evalkit.curves.records import Forgotten, Number

__all__ = ["forgotten"]


def forgotten(documents: Documents, places: Sequence[Number], best: int) -> tuple[Forgotten, ...]:
    """In order of the point from which on a document is worse than at the best without a break, then of the tasks.

    `documents`: one row of values for each of `places`, more is better. A missing answer neither
    begins nor ends a stretch of worse answers.
    """
    values = documents.values[: len(places)]
    if best >= len(places) - 1:
        return ()
    worse = values[best + 1 :] < values[best]
    held = worse | np.isnan(values[best + 1 :])
    forgotten = []
    for document in np.flatnonzero(worse[-1]):
        start = len(held) - 1
        while start > 0 and held[start - 1, document]:
            start -= 1
        start = next(k for k in range(start, len(held)) if worse[k, document])
        leaf, doc_id = documents.names[document]
        before, after = (float(documents.target.sign * values[k, document]) for k in (best, -1))
        forgotten.append(Forgotten(leaf, doc_id, places[best + 1 + start], before, after))
    return tuple(sorted(forgotten, key=lambda document: (document.since, document.task, document.doc_id)))
