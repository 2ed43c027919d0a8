"""A checkpoint's chat template comes to an end, or is told to."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest

from evalkit.errors import CheckpointError, UsageError
from evalkit.tokens import Tokenizer
from evalkit.tokens.bounded import is_linear
from evalkit.tokens.chat import ALPACA
from evalkit.types import ModelSpec
from tests.helpers import warm

FOREVER = [
    "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}",
    "{% for a in range(99999) %}{% for b in range(99999) %}{% if b < 0 %}x{% endif %}{% endfor %}{% endfor %}",
    "{% macro m(n) %}{{ m(n + 1) }}{% endmacro %}{{ m(0) }}",
    "{% macro m(n) %}{% for i in range(99) %}{{ m(n - 1) if n else '' }}{% endfor %}{% endmacro %}{{ m(9) }}",
    "{% for a in messages recursive %}{{ loop(messages) }}{% endfor %}",
]
LONG = [
    "{{ messages[0].content * 10000000000 }}",
    "{{ 'a'.center(10000000000) }}",
    "{% set a = messages[0].content %}" + "{% set a = a ~ a %}" * 60 + "{{ a }}",
]


def model_with(model: Path, folder: Path, **settings: Any) -> ModelSpec:
    shutil.copytree(model, folder)
    file = folder / "tokenizer_config.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), **settings}))
    (folder / "chat_template.jinja").unlink(missing_ok=True)
    return ModelSpec(typed="m", source=str(folder))


@pytest.mark.parametrize("template", [*FOREVER, *LONG])
def test_a_template_without_end_is_refused(tiny_chat_model: Path, tmp_path: Path, template: str) -> None:
    tokenizer = Tokenizer.load(model_with(tiny_chat_model, tmp_path / "model", chat_template=template))
    with pytest.raises(CheckpointError, match="does not come to an end"):
        tokenizer.chat()


def test_a_template_that_is_endless_for_one_prompt_only_is_refused_there(tiny_chat_model: Path, tmp_path: Path) -> None:
    template = "{% if messages[0].content == 'boo' %}" + FOREVER[1] + "{% endif %}{{ messages[0].content }}"
    chat = Tokenizer.load(model_with(tiny_chat_model, tmp_path / "model", chat_template=template)).chat()
    assert chat([{"role": "user", "content": "hello"}]) == "hello"
    with pytest.raises(CheckpointError, match="does not come to an end"):
        chat([{"role": "user", "content": "boo"}])
    assert sys.gettrace() is None or "bounded" not in repr(sys.gettrace())


def test_ordinary_templates_need_no_limit() -> None:
    assert is_linear(ALPACA)
    assert is_linear("{% for m in messages %}{{ m['content'] | trim }}{% endfor %}{{ '<|im_start|>' }}")
    assert not any(map(is_linear, FOREVER))
    assert not is_linear("{% for c in 'x' * 10 ** 9 %}{% endfor %}")
    assert not is_linear("{% generation %}")


# ── code that a tokenizer brings ─────────────────────────────────────────────


@pytest.fixture
def armed(tiny_model: Path, tmp_path: Path) -> tuple[Path, Path]:
    """A checkpoint whose tokenizer_config names Python code of its own, and the file that the code would write."""
    written = tmp_path / "the-code-ran"
    spec = model_with(
        tiny_model,
        tmp_path / "model",
        tokenizer_class="Mine",
        auto_map={"AutoTokenizer": ["mine.Mine", "mine.Mine"]},
    )
    code = f"open({str(written)!r}, 'w').close()\nfrom transformers import PreTrainedTokenizerFast as Mine\n"
    (Path(spec.source) / "mine.py").write_text(code)
    return Path(spec.source), written


def test_a_tokenizers_code_does_not_run_unasked(armed: tuple[Path, Path]) -> None:
    folder, written = armed
    with pytest.raises(UsageError, match="--trust-remote-code"):
        Tokenizer.load(ModelSpec(typed="m", source=str(folder)))
    assert not written.exists()


def test_a_y_on_the_terminal_does_not_run_it_either(armed: tuple[Path, Path]) -> None:
    folder, written = armed
    command = ["run", "--model", str(folder), "--tasks", "mini_knowledge"]
    command += ["--limit", "2", "--engine", "hf", "--device", "cpu", "--output-path", str(written.parent / "runs")]
    done = warm.run(*command, input="y\ny\ny\n")
    assert done.returncode == 2, done.stderr
    assert "brings Python code of its own" in done.stderr
    assert not written.exists()
