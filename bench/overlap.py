"""evalkit overlap of training text against MMLU, HellaSwag, GSM8K and BBH, beside a plain Python implementation.

    python bench/overlap.py --data-dir ../shared/hub --mb 1000

The training text is made up of the benchmarks' words, with planted questions. Prints seconds, MB a second and the peak
of memory; the plain implementation (one dictionary of word tuples) gets a smaller piece, and its speed is
compared, not its time.
"""

from __future__ import annotations

import argparse
import json
import random
import re
import resource
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

from evalkit.reporting.progress import Progress
from evalkit.runner.benchmarks import BenchmarkDocument, benchmark_documents
from evalkit.synth.leaks import Benchmark, find_leaks
from evalkit.synth.training_rows import read_training

TASKS = ("mmlu", "hellaswag", "gsm8k", "bbh")
_WORD = re.compile(r"\w+")


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--data-dir", type=Path)
    asked.add_argument("--tasks", default=",".join(TASKS))
    asked.add_argument("--mb", type=int, default=1000)
    asked.add_argument("--plain-mb", type=int, default=50)
    given = asked.parse_args()
    documents = benchmark_documents(given.tasks.split(","), given.data_dir, (), Progress())
    print(f"{len(documents):,} documents of {given.tasks}")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "train.jsonl"
        planted = write_training(path, given.mb, documents)
        size = path.stat().st_size
        texts = [Benchmark(document.question, document.answer) for document in documents]
        begin = time.perf_counter()
        leaks = find_leaks(texts, read_training(path))
        seconds = time.perf_counter() - begin
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
        found = len(planted & set(leaks.found))
        print(f"evalkit: {size / 1e6:,.0f} MB in {seconds:.0f} s, {size / 1e6 / seconds:.1f} MB/s, peak {peak:.2f} GiB")
        print(f"found {found:,} of {len(planted):,} planted documents, {len(leaks.found):,} in all")
        begin = time.perf_counter()
        done, _ = plain(texts, read_training(path), given.plain_mb * 1_000_000)
        plain_seconds = time.perf_counter() - begin
        rate = done / 1e6 / plain_seconds
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
        print(f"plain Python: {done / 1e6:,.0f} MB in {plain_seconds:.0f} s, {rate:.1f} MB/s, peak {peak:.2f} GiB")
        print(f"ratio {size / 1e6 / seconds / rate:.1f}")


def write_training(path: Path, megabytes: int, documents: list[BenchmarkDocument]) -> set[int]:
    """Rows of about 2,000 characters from the benchmarks' own words; one in a thousand holds a question."""
    rng = random.Random(0)
    words = [word for document in rng.sample(documents, 4000) for word in document.question.split()]
    paragraphs = [" ".join(rng.choices(words, k=330)) for _ in range(5000)]
    long = [n for n, document in enumerate(documents) if len(_WORD.findall(document.question)) >= 20]
    planted: set[int] = set()
    size = row = 0
    with path.open("w", encoding="utf-8") as out:
        while size < megabytes * 1_000_000:
            text = paragraphs[rng.randrange(len(paragraphs))]
            cut = rng.randrange(len(text))
            text = f"{text[cut:]} {rng.randrange(10**9)} {text[:cut]}"
            if row % 1000 == 0:
                planted.add(chosen := rng.choice(long))
                text += f"\n{documents[chosen].question}\n{documents[chosen].answer}"
            line = json.dumps({"text": text}, ensure_ascii=False) + "\n"
            size += out.write(line)
            row += 1
    return planted


def plain(documents: list[Benchmark], rows: Iterable[tuple[int, str, int]], most: int) -> tuple[int, set[int]]:
    """Every run of 8 words as a tuple in a dictionary."""
    index: dict[tuple[str, ...], set[int]] = defaultdict(set)
    for place, document in enumerate(documents):
        words = _WORD.findall(document.question.lower())
        for start in range(len(words) - 7):
            index[tuple(words[start : start + 8])].add(place)
    found: set[int] = set()
    done = 0
    for _, text, size in rows:
        words = _WORD.findall(text.lower())
        for start in range(len(words) - 7):
            found |= index.get(tuple(words[start : start + 8]), set())
        done += size
        if done >= most:
            break
    return done, found


if __name__ == "__main__":
    main()
