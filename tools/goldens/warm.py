"""Runs command lines of evalkit, each in a fork of this process, which has imported the slow libraries once.

Reads one JSON object a line (argv, cwd, env, stdout, stderr) and answers with the exit code. Run with `-m evalkit` from
a fresh Python, nearly all of a short case's time is spent importing torch, transformers and lm_eval.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import runpy
import sys
import traceback
from typing import Any

SLOW = (
    "numpy scipy.stats pandas pyarrow.parquet datasets torch transformers transformers.models.llama.modeling_llama "
    "transformers.models.auto.modeling_auto peft tokenizers lm_eval lm_eval.tasks lm_eval.api.task lm_eval.evaluator "
    "openai aiohttp rich.console jinja2 jsonschema yaml"
)


def run(case: dict[str, Any]) -> int:
    """The exit code of one case, which runs in a child."""
    child = os.fork()
    if child == 0:
        code = 70
        try:
            code = call(case)
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def call(case: dict[str, Any]) -> int:
    os.chdir(case["cwd"])
    os.environ.clear()
    os.environ.update(case["env"])
    for number, path in enumerate((os.devnull, case["stdout"], case["stderr"])):
        file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC)
        os.dup2(file, number)
        os.close(file)
    sys.argv = ["evalkit", *case["argv"]]
    code: Any = 0
    try:
        runpy.run_module("evalkit", run_name="__main__", alter_sys=True)
    except SystemExit as stop:
        code = stop.code
    except BaseException:
        traceback.print_exc()
        code = 1
    sys.stdout.flush()
    sys.stderr.flush()
    return code if isinstance(code, int) else int(code is not None)


if __name__ == "__main__":
    for name in SLOW.split():
        with contextlib.suppress(ImportError):
            importlib.import_module(name)
    replies = os.fdopen(os.dup(1), "w")
    for line in sys.stdin:
        print(run(json.loads(line)), file=replies, flush=True)
