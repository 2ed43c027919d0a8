"""What tasks/mbpp.yaml calls: the three examples of MBPP's prompt, which lm-eval keeps in a module of its own."""

from __future__ import annotations

import ast

from evalkit.errors import CouldNotDo
from evalkit.registry.taskindex import builtin_folder
from evalkit.types import RawDocument

__all__ = ["examples"]


def examples() -> list[RawDocument]:
    """The examples as lm-eval has them, read without running its module, which would download a metric."""
    folder = builtin_folder()
    path = None if folder is None else folder / "mbpp" / "utils.py"
    if path is not None and path.is_file():
        for node in ast.parse(path.read_text("utf-8")).body:
            if isinstance(node, ast.FunctionDef) and node.name == "list_fewshot_samples":
                returned = next(part for part in node.body if isinstance(part, ast.Return))
                documents: list[RawDocument] = ast.literal_eval(returned.value or ast.Constant(None))
                return documents
    raise CouldNotDo(
        "the installed lm-eval has no mbpp/utils.py with the three examples: install lm-eval 0.4.9 or later"
    )
