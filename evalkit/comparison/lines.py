"""The lines of scores.parquet that a target is made of, checked: a broken one is never a figure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evalkit.comparison.corpus_lines import CorpusLines, with_corpus
from evalkit.comparison.targets import Target
from evalkit.errors import NoDocumentFigures, NotComparable, RunFolderError
from evalkit.results import Run

__all__ = ["FLAGS", "NO_ANSWER", "Lines", "read_lines"]

FLAGS: Mapping[str, int] = {"cut": 1, "unfinished": 2, "unparsed": 4, "error": 8, "missing": 16}
NO_ANSWER = FLAGS["error"] | FLAGS["missing"]


@dataclass(frozen=True, slots=True)
class Lines:
    """Columns, one element per document."""

    task: list[str]
    doc_id: list[int]
    doc_hash: list[str]
    prompt_hash: list[str | None]
    stratum: list[str | None]
    cluster: list[str | None]
    value: NDArray[np.float64]
    """NaN for a document without an answer or with one that could not be read, and for no other."""
    flags: NDArray[np.int64]
    corpus: CorpusLines | None = None
    """Of a figure of all documents together; `value` then only says what changed, and its mean is no figure."""


def read_lines(run: Run, target: Target) -> Lines:
    import pyarrow as pa
    import pyarrow.compute as pc

    metric, _, filter_name = target.metric.partition(",")
    table = run.scores()
    wanted = pc.and_(
        pc.is_in(table.column("task"), pa.array(target.leaves)),
        # Other tools may write the figure's whole name where we write the metric's.
        pc.and_(
            pc.is_in(table.column("metric"), pa.array([metric, target.metric])),
            pc.equal(table.column("filter"), filter_name or "none"),
        ),
    )
    if target.strata:
        wanted = pc.and_(wanted, pc.is_in(table.column("stratum"), pa.array(target.strata)))
    table = table.filter(wanted)
    column = {name: table.column(name).to_pylist() for name in table.column_names if name not in ("value", "flags")}
    lines = Lines(
        task=column["task"],
        doc_id=column["doc_id"],
        doc_hash=column["doc_hash"],
        prompt_hash=column["prompt_hash"],
        stratum=column["stratum"],
        cluster=column["cluster"],
        value=np.array(table.column("value").to_numpy(), dtype=float),
        flags=_flags(table.column("flags")),
    )
    lines = with_corpus(run, target, lines, column["corpus"], column["parts"])
    _check(run, target, lines)
    lines.value[(lines.flags & FLAGS["missing"]) > 0] = np.nan
    return _without(lines, target)


def _without(lines: Lines, target: Target) -> Lines:
    """The lines that are left when a target's documents in training data are dropped."""
    if not target.without:
        return lines
    if lines.corpus is not None:
        raise NotComparable(f"{target.name}: {target.metric} is a figure of the whole corpus, which has no clean part")
    # A document with several verdicts has lines whose hashes differ behind `#`.
    keys = zip(lines.task, lines.doc_hash, strict=True)
    kept = [i for i, (task, doc) in enumerate(keys) if (task, doc.partition("#")[0]) not in target.without]
    if not kept:
        raise NotComparable(f"{target.name}: every document stands in training data: clean_only leaves none")
    return Lines(
        task=[lines.task[i] for i in kept],
        doc_id=[lines.doc_id[i] for i in kept],
        doc_hash=[lines.doc_hash[i] for i in kept],
        prompt_hash=[lines.prompt_hash[i] for i in kept],
        stratum=[lines.stratum[i] for i in kept],
        cluster=[lines.cluster[i] for i in kept],
        value=lines.value[kept],
        flags=lines.flags[kept],
    )


def _flags(column: Any) -> NDArray[np.int64]:
    """Few different texts stand in the column, so each is taken apart once."""
    encoded = column.combine_chunks().dictionary_encode()
    known = [
        sum(FLAGS.get(flag.strip(), 0) for flag in set((text or "").split(",")))
        for text in encoded.dictionary.to_pylist()
    ]
    return np.array([*known, 0], dtype=np.int64)[np.array(encoded.indices.fill_null(len(known)), dtype=np.int64)]


def _check(run: Run, target: Target, lines: Lines) -> None:
    where = str(run.scores_path)
    counts = Counter(lines.task)
    if absent := [leaf for leaf in target.leaves if leaf not in counts]:
        raise RunFolderError(f"{where} has no line of {', '.join(absent[:5])} with {target.metric}")
    if None in lines.doc_hash:
        raise RunFolderError(f"{where}: {target.name} has lines without a doc_hash, which nothing can be paired by")
    without = NO_ANSWER | FLAGS["unfinished"]  # a thought that never ended is no answer either
    if not np.isfinite(lines.value).any() and not (lines.flags & without).any():
        raise NoDocumentFigures(
            f"{where} holds no number for any document of {target.name} with {target.metric}:"
            " the folder is broken, or that metric is a figure of the whole corpus; then name another metric or task"
        )
    bad = ~np.isfinite(lines.value) & ((lines.flags & (without | FLAGS["unparsed"])) == 0)
    if bad.any():
        first = int(np.flatnonzero(bad)[0])
        raise RunFolderError(
            f"{where}: {target.metric} of {lines.task[first]} is not a number for {int(bad.sum())} documents"
            f" that count as answered (the first: doc_id {lines.doc_id[first]})"
        )
    seen: set[tuple[str, int, str]] = set()
    for key in zip(lines.task, lines.doc_id, lines.doc_hash, strict=True):
        if key in seen:
            raise RunFolderError(f"{where}: document {key[1]} of {key[0]} stands twice with {target.metric}")
        seen.add(key)
    # Where a document has several verdicts, each has a line: their hashes differ behind `#`.
    documents: dict[tuple[str, int, str], bool] = {}
    for task, doc_id, doc_hash, value in zip(lines.task, lines.doc_id, lines.doc_hash, lines.value, strict=True):
        key = task, doc_id, doc_hash.partition("#")[0]
        documents[key] = documents.get(key, False) or bool(np.isfinite(value))
    asked = Counter(task for task, _, _ in documents)
    answered = Counter(task for (task, _, _), known in documents.items() if known)
    for leaf in target.leaves if not target.strata else ():
        _check_count(run, leaf, asked[leaf], answered[leaf])


def _check_count(run: Run, leaf: str, lines: int, answered: int) -> None:
    """results.json counts documents, with or without those that have no answer, and so does the table; they must agree.

    Rows that are left out of the table are then missing all the same: they have no partner.
    """
    task = run.record.results.tasks.get(leaf)
    if task is None or task.n is None:
        return
    n, missing, errors = task.n, task.missing.value or 0, task.errors.value or 0
    unanswered = (0, missing, errors, missing + errors)
    if lines not in {n + sign * count for count in unanswered for sign in (1, -1)} and answered != n:
        raise RunFolderError(
            f"{run.path}: results.json counts {n} documents of {leaf} and scores.parquet holds {lines}:"
            " one of the two is half-written"
        )
