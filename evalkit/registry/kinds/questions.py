"""`--tasks qa.csv`: a table of questions and answers as a task, without a task file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from evalkit.checks.scripts import letters
from evalkit.errors import ConfigError, DataNotFound, nearest
from evalkit.registry.kinds.kind import FileKind, FileOptions
from evalkit.registry.plainrows import PlainRows
from evalkit.registry.questions import Questions, read_questions
from evalkit.registry.questionscores import metrics_of, scorer_of
from evalkit.registry.tables import ENDINGS
from evalkit.types import TaskConfig

__all__ = ["KEYS", "KIND", "from_task_file", "prompts_of", "table_of"]

KEYS = ("file", "input", "target", "score")
"""Of `questions:` in a task file."""
_WRITTEN = ("exact", "contains", "judge")
"""Ways of scoring whose answers are texts."""
_WORDS = {False: ("Question", "Answer"), True: ("질문", "정답")}


def _config(name: str, path: Path, options: FileOptions) -> TaskConfig:
    return {"task": name, **_settings(path, options)}


def table_of(value: Any, writer: Path) -> Path:
    """The table that `questions:` of a task file names. It is beside that file."""
    where = f"{writer}: questions"
    if isinstance(value, str):
        value = {"file": value}
    if not isinstance(value, Mapping):
        raise ConfigError(f"{where}: a file's name or a mapping is wanted, this is {value!r:.80}")
    for key in value:
        if key not in KEYS:
            raise ConfigError(f"{where}: unknown key {key!r}{nearest(str(key), KEYS)}")
    if not isinstance(value.get("file"), str):
        raise ConfigError(f"{where}: file is missing: the table beside this file, as in file: qa.csv")
    path: Path = writer.parent / value["file"]
    if not path.is_file():
        raise DataNotFound(f"{where}: {value['file']} is not beside the task file: {path} does not exist")
    return path


def from_task_file(value: Any, given: TaskConfig, writer: Path) -> TaskConfig:
    """The configuration for `questions:` of a task file. The file's own keys take precedence."""
    path = table_of(value, writer)
    keys = value if isinstance(value, Mapping) else {}
    given_options = {key: None if keys.get(key) is None else str(keys[key]) for key in KEYS}
    options = FileOptions(given_options["input"], given_options["target"], given_options["score"])
    made = _settings(path, options)
    return {**made, **given, "metadata": {**made["metadata"], **(given.get("metadata") or {})}}


def _settings(path: Path, options: FileOptions) -> TaskConfig:
    read = read_questions(path, options.input, options.target, options.score)

    def load(**_: Any) -> dict[str, PlainRows]:
        return {"test": read.rows}

    headline, *_ = metrics = metrics_of(read.score)
    settings: TaskConfig = {
        # The path is part of what was typed; what the rows say is hashed.
        "dataset_path": path.name,
        "custom_dataset": load,
        "test_split": "test",
        "num_fewshot": 0,
        **prompts_of(read),
        "metric_list": [
            {"metric": name, "aggregation": "mean", "higher_is_better": None if name == "length_ratio" else True}
            for name in metrics
        ],
        "metadata": {
            "version": 1.0,
            "headline": f"{headline},none",
            "description": "Questions and answers of a file.",
            "score": read.score,
        },
    }
    if read.korean and read.score in _WRITTEN and _in_words(read.rows):
        settings["metadata"]["answers_in"] = "ko"
    scorer = scorer_of(read.score)
    if scorer is None:
        return settings
    question, _ = _WORDS[read.korean]
    return {
        **settings,
        "process_results": scorer,
        "generation_kwargs": {"until": [f"\n{question}:"], "do_sample": False, "max_gen_toks": 256},
    }


def _in_words(rows: PlainRows) -> bool:
    """Whether most targets have Hangul in them: answers that are letters or numbers are in no language."""
    targets = ["".join(row["answer"]) if isinstance(row["answer"], list) else row["answer"] for row in rows]
    return 2 * sum(letters(text)["Hangul"] > 0 for text in targets) > len(targets)


def prompts_of(read: Questions) -> TaskConfig:
    """The prompt's templates, in Korean if most questions are Korean."""
    question, answer = _WORDS[read.korean]
    passage = "{% if context %}{{context}}\n\n{% endif %}" if read.columns.context else ""
    if read.columns.choices:
        letters = "{% for choice in choices %}{{'ABCDEFGHIJKLMNOPQRSTUVWXYZ'[loop.index0]}}. {{choice}}\n{% endfor %}"
        return {
            "output_type": "multiple_choice",
            "doc_to_text": f"{passage}{question}: {{{{question}}}}\n{letters}{answer}:",
            "doc_to_choice": "{{'ABCDEFGHIJKLMNOPQRSTUVWXYZ'[:choices|length]|list}}",
            "doc_to_target": "label",
        }
    return {
        "output_type": "generate_until",
        "doc_to_text": f"{passage}{question}: {{{{question}}}}\n{answer}:",
        "doc_to_target": "{{answer[0] if answer is not string else answer}}",
    }


KIND = FileKind(
    "questions",
    _config,
    suffixes=(*ENDINGS, ".xlsx", ".xls", ".ods"),
    endings=ENDINGS,
    wanted=".csv, .jsonl or .parquet",
    example="qa.csv",
    takes_options=True,
)
