"""`evalkit tasks init qa.csv`: writes a task file for a table of questions, as a starting point."""

from __future__ import annotations

import json
import re
from pathlib import Path

from evalkit.errors import OutputError, UsageError
from evalkit.registry.kinds.kind import NO_OPTIONS, FileOptions
from evalkit.registry.kinds.questions import KIND, prompts_of
from evalkit.registry.questions import Questions, read_questions

__all__ = ["task_file", "write_task_file"]


def write_task_file(table: Path, options: FileOptions = NO_OPTIONS, to: Path | None = None) -> Path:
    """Write the YAML beside the table, or to `to` in the same folder. An existing file is not overwritten."""
    if not table.name.lower().endswith(KIND.suffixes):
        raise UsageError(f"tasks init {table}: a {KIND.wanted} file is wanted")
    text = task_file(table, options)
    path = to or table.with_suffix(".yaml")
    try:
        with path.open("x", encoding="utf-8") as stream:
            stream.write(text)
    except FileExistsError:
        raise UsageError(f"{path} is there already: remove it, or type --output OTHER.yaml") from None
    except OSError as error:
        raise OutputError(f"{path} cannot be written ({error.strerror or error})") from None
    return path


def task_file(table: Path, options: FileOptions = NO_OPTIONS) -> str:
    """The text of the task file, with a comment for each key."""
    read = read_questions(table, options.input, options.target, options.score)
    name = re.sub(r"[^\w.-]+", "_", table.stem).strip("._-") or "questions"
    prompts = prompts_of(read)
    lines = [
        f"# What `--tasks {table.name}` stands for. Change what you like, then:",
        f"#   evalkit tasks validate {name}.yaml",
        f"#   evalkit run --model nano --include-path . --tasks {name}",
        "",
        f"task: {_said(name)}",
        "questions:",
        f"  file: {_said(table.name)}    # beside this file",
        f"  input: {_said(read.columns.question)}    # the column of the questions; in templates: {{{{question}}}}",
        f"  target: {_said(read.columns.answer)}    # the column of the answers; a list where any of several is right",
        f"  score: {read.score}    # {_SCORES[read.score]}; or {', '.join(s for s in _SCORES if s != read.score)}",
        "",
        "# From here on the keys are lm-eval's (docs/tasks.md). What you delete is as it was.",
        f"doc_to_text: {_said(prompts['doc_to_text'])}    # the prompt, a Jinja template",
        "num_fewshot: 0    # questions of the same file shown with their answers before each",
        *_generation(read),
        "metadata:",
        "  version: 1.0    # raise it when the questions change",
        "",
    ]
    return "\n".join(lines)


_SCORES = {
    "exact": "the answer is the target, whatever the case and the marks around it",
    "contains": "the target stands somewhere in the answer",
    "choice": "the right choice is the likeliest one",
    "numeric": "the last number of the answer is the target",
    "regex": "the target is a regular expression that the answer matches",
    "judge": "a judge reads it (evalkit judge run); figures of likeness stand beside",
}


def _generation(read: Questions) -> list[str]:
    if read.score == "choice":
        return []
    stop = "질문" if read.korean else "Question"
    return [
        "generation_kwargs:",
        f"  until: [{_said(chr(10) + stop + ':')}]    # where an answer ends at the latest",
        "  do_sample: false",
        "  max_gen_toks: 256",
    ]


def _said(text: str) -> str:
    """The value as YAML: strings in JSON's form, which is valid YAML for any text."""
    return text if re.fullmatch(r"[A-Za-z가-힣_][\w가-힣]*(\.[a-z]+)?", text) else json.dumps(text, ensure_ascii=False)
