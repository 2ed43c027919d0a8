"""Rows of one file that stand in another, and documents of benchmarks that stand in training data."""

from __future__ import annotations

import json as json_format
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evalkit import results, safe
from evalkit.api.memberships import TrainingSigns
from evalkit.api.output import as_html_table, write_all
from evalkit.api.overlap_definitions import OverlapArguments
from evalkit.api.runs import load_all
from evalkit.arguments import from_call
from evalkit.errors import UsageError
from evalkit.synth.overlap import Overlap, find_overlap, read_texts
from evalkit.types import Arguments

if TYPE_CHECKING:
    import pandas as pd

    from evalkit.runner.benchmarks import BenchmarkDocument
    from evalkit.synth.leaks import Leaks

__all__ = ["LeakedDocuments", "OverlappingRows", "overlap"]


@dataclass(frozen=True, eq=False, repr=False)
class OverlappingRows:
    """Which rows of a file match which rows of another."""

    result: Overlap

    @property
    def rows(self) -> int:
        return self.result.rows

    @property
    def matched(self) -> int:
        return self.result.matched

    def frame(self) -> pd.DataFrame:
        """One row for each pair that matches: `row`, `with` (both from 0) and `n`, the longest shared run of words."""
        import pandas as pd

        matches = [(match.row, match.other, match.words) for match in self.result.matches]
        return pd.DataFrame(matches, columns=["row", "with", "n"])

    def json(self) -> str:
        matches = [{"row": match.row, "with": match.other, "n": match.words} for match in self.result.matches]
        return json_format.dumps({"rows": self.rows, "matched": self.matched, "matches": matches})

    def __repr__(self) -> str:
        return f"{self.matched:,} of {self.rows:,} rows stand in the other file"

    def _repr_html_(self) -> str:
        return as_html_table(repr(self), self.frame())


@dataclass(frozen=True, eq=False, repr=False)
class LeakedDocuments:
    """Which documents of benchmarks stand in training data."""

    result: Leaks
    documents: Sequence[BenchmarkDocument]
    gram: int

    @property
    def rows(self) -> int:
        """Rows of the training data."""
        return self.result.rows

    @property
    def matched(self) -> int:
        """Documents that were found."""
        return len(self.result.found)

    def tasks(self) -> dict[str, dict[str, Any]]:
        """For each name that was asked for: documents, found, with a long run, with the answer."""
        from evalkit.synth.leaks import is_long

        counts: dict[str, dict[str, Any]] = {}
        for place, document in enumerate(self.documents):
            entry = counts.setdefault(
                document.requested, {"documents": 0, "matched": 0, "matched_13": 0, "with_answer": 0}
            )
            entry["documents"] += 1
            if (match := self.result.found.get(place)) is not None:
                entry["matched"] += 1
                entry["matched_13"] += is_long(match, document.question)
                entry["with_answer"] += match.answer
        return counts

    def mark(self, run: results.Run, training: str) -> Path:
        """Write which of the run's documents were found to its folder; figures, compare and gate read it there."""
        places = self.result.found
        marked = frozenset((self.documents[place].task, self.documents[place].doc_hash) for place in places)
        searched = tuple(dict.fromkeys(document.task for document in self.documents))
        return results.write_overlap(run.path, results.Overlapping(training, self.gram, searched, marked))

    def frame(self) -> pd.DataFrame:
        """One row for each document that was found."""
        import pandas as pd

        return pd.DataFrame(self._matches(), columns=["task", "doc_id", "doc_hash", "row", "rows", "n", "answer"])

    def json(self) -> str:
        content = {
            "rows": self.rows,
            "rows_matched": self.result.matched,
            "matched": self.matched,
            "gram": self.gram,
            "tasks": self.tasks(),
            "matches": self._matches(),
        }
        return json_format.dumps(content, ensure_ascii=False)

    def _matches(self) -> list[Mapping[str, Any]]:
        return [
            {
                "task": self.documents[place].task,
                "doc_id": self.documents[place].doc_id,
                "doc_hash": self.documents[place].doc_hash,
                "row": match.row,
                "rows": match.rows,
                "n": match.longest,
                "answer": match.answer,
            }
            for place, match in self.result.found.items()
        ]

    def __repr__(self) -> str:
        lines = [f"{self.result.matched:,} of {self.rows:,} rows share {self.gram} words in a row with a document"]
        for name, counts in self.tasks().items():
            lines.append(
                f"{name}: {counts['matched']:,} of {counts['documents']:,} documents found,"
                f" {counts['matched_13']:,} by 13 words, {counts['with_answer']:,} with their answer"
            )
        lines.append("not seen: translations, paraphrases, and what a model read elsewhere")
        return safe.terminal("\n".join(lines))

    def _repr_html_(self) -> str:
        return as_html_table(repr(self).split("\n", 1)[0], self.frame())


def overlap(
    file: str | Path | None = None,
    *,
    against: str | Path | None = None,
    tasks: str | Sequence[str] = (),
    model: str | None = None,
    reference: str | None = None,
    model_args: str | Arguments | None = None,
    engine: str = "auto",
    device: str | None = None,
    limit: int | None = None,
    plus_plus: bool = False,
    gram: int = 8,
    syllables: int = 16,
    data_dir: str | Path | None = None,
    include_path: str | Path | Sequence[str | Path] = (),
    json: str | Path | None = None,
    mark: str | Sequence[str] = (),
    output_path: str | Path = "results",
    progress: bool = False,
) -> OverlappingRows | LeakedDocuments | TrainingSigns:
    """Find the rows of a JSONL file that share a run of words with rows of another, or equal them.

    With `tasks`, find the documents of these benchmarks that stand in the file, which is read piece by piece; `mark`
    names runs that are told which of their documents were found. With `model`, look for signs in the model that it was
    trained on them; a file of training data then says which documents it has seen.
    """
    asked = from_call(OverlapArguments, locals())
    if asked.model is not None and not asked.tasks:
        raise UsageError("--model needs --tasks: which benchmarks may it have been trained on?")
    if asked.model is None and asked.reference is not None:
        raise UsageError("--reference goes with --model: whose signs are taken off from what?")
    if (asked.against is None) == (not asked.tasks):
        raise UsageError(
            "--against FILE or --tasks A,B is wanted: the JSONL file that the rows are held against, or benchmarks"
        )
    if asked.mark and not asked.tasks:
        raise UsageError("--mark RUN goes with --tasks: which benchmarks' documents are to be marked?")
    runs = load_all(asked.mark, asked.output_path)
    if asked.model is not None:
        signs = _signs(None if file is None else Path(file), asked, progress=progress and not asked.quiet)
        write_all((asked.json, signs.json))
        return signs
    if file is None:
        raise UsageError("FILE.jsonl is missing: the rows or the training data; or --model with --tasks")
    if asked.against is not None:
        overlapping = OverlappingRows(find_overlap(read_texts(Path(file)), read_texts(asked.against), asked.gram))
        write_all((asked.json, overlapping.json))
        return overlapping
    leaked = _leaked(Path(file), asked, progress=progress and not asked.quiet)
    for run in runs:
        leaked.mark(run, Path(file).name)
    write_all((asked.json, leaked.json))
    return leaked


def _leaked(file: Path, asked: OverlapArguments, *, progress: bool) -> LeakedDocuments:
    from evalkit.reporting.progress import Progress
    from evalkit.runner.benchmarks import benchmark_documents
    from evalkit.synth.leaks import Benchmark, find_leaks
    from evalkit.synth.training_rows import read_training

    if not file.is_file():
        raise UsageError(f"{file}: no such file; the JSONL file of training data is wanted")
    with Progress.open(quiet=not progress) as shown:
        documents = benchmark_documents(asked.tasks, asked.data_dir, asked.include_path, shown)
        shown.stage(f"indexing {len(documents):,} documents")
        name = f"MB of {file.name}"
        shown.start({name: max(1, file.stat().st_size // 1_000_000)})
        done = 0

        def advance(size: int) -> None:
            nonlocal done
            before, done = done // 1_000_000, done + size
            shown.advance(name, done // 1_000_000 - before)

        texts = [Benchmark(document.question, document.answer) for document in documents]
        leaks = find_leaks(texts, read_training(file), gram=asked.gram, syllables=asked.syllables, advance=advance)
    return LeakedDocuments(leaks, documents, asked.gram)


def _signs(file: Path | None, asked: OverlapArguments, *, progress: bool) -> TrainingSigns:
    from evalkit.reporting.progress import Progress
    from evalkit.runner.benchmarks import benchmark_documents
    from evalkit.runner.membership import Signs, read_signs
    from evalkit.synth.leaks import Benchmark, find_leaks
    from evalkit.synth.training_rows import read_training

    def of(model: str) -> list[Signs]:
        return read_signs(
            documents,
            model,
            shown,
            model_args=asked.model_args,
            engine=asked.engine,
            device=asked.device,
            plus_plus=asked.plus_plus,
            output_path=asked.output_path,
        )

    assert asked.model is not None
    with Progress.open(quiet=not progress) as shown:
        documents = benchmark_documents(asked.tasks, asked.data_dir, asked.include_path, shown)
        if asked.limit is not None and asked.limit < len(documents):
            drawn = random.Random(0).sample(range(len(documents)), asked.limit)
            documents = [documents[place] for place in sorted(drawn)]
        seen = None
        if file is not None:
            texts = [Benchmark(document.question, document.answer) for document in documents]
            seen = frozenset(find_leaks(texts, read_training(file), gram=asked.gram).found)
        signs = of(asked.model)
        of_reference = of(asked.reference) if asked.reference is not None else ()
    return TrainingSigns(asked.model, documents, signs, asked.reference, of_reference, seen)
