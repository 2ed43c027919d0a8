"""A model that thinks, through a real `vllm serve` with and without a reasoning parser's help."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from evalkit.config import RunConfig
from evalkit.engines.openai.server import Reply, Server
from evalkit.errors import EngineError
from evalkit.reporting.run_view import report
from evalkit.runner import Outcome, run
from evalkit.types import JsonObject
from tests.helpers.listening import Heard
from tests.helpers.serving import vllm_serve
from tests.helpers.thinker import ANSWER, THOUGHT, make_thinker


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    folder = make_thinker(tmp_path_factory.mktemp("served") / "thinker")
    with vllm_serve(folder, "thinker", "--reasoning-parser", "deepseek_r1") as url:
        yield url, folder


@pytest.fixture
def task(tmp_path: Path) -> Path:
    """Questions whose answer is the model's up to a stop string, which stands in its thought as well."""
    data = tmp_path / "mine.jsonl"
    data.write_text("".join(json.dumps({"q": f"q{i}", "a": ANSWER.partition("!")[0]}) + "\n" for i in range(3)))
    (tmp_path / "says.yaml").write_text(
        f"task: says\ndataset_path: json\ndataset_kwargs: {{data_files: {{test: {data}}}}}\ntest_split: test\n"
        "output_type: generate_until\ndoc_to_text: '{{q}}'\ndoc_to_target: '{{a}}'\n"
        'generation_kwargs: {until: [";", "!"], max_gen_toks: 16}\nmetric_list: [{metric: exact_match}]\n'
    )
    return tmp_path


def go(folder: Path, **asked: Any) -> tuple[Outcome, list[dict[str, Any]]]:
    config = RunConfig.build(
        **{"tasks": "says", "include_path": str(folder), "output_path": str(folder / "runs"), **asked}
    )
    (outcome,) = run(config, Heard(), report)
    path = outcome.path / "samples" / "says.jsonl"
    return outcome, [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def through(url: str, **more: str) -> dict[str, Any]:
    arguments = ",".join(f"{key}={value}" for key, value in {"base_url": url, **more}.items())
    return {"engine": "openai", "model": "thinker", "model_args": arguments}


@pytest.mark.vllm
def test_a_reasoning_parsers_thought_is_no_answer_and_stop_strings_count_after_it(
    served: tuple[str, Path], task: Path
) -> None:
    url, folder = served
    chat, rows = go(task, **through(url, api="chat"), name="chat", apply_chat_template=True)
    assert chat.exit_code == 0
    assert [row["resps"] for row in rows] == [[["d"]]] * 3
    assert {row["reasoning"][0].strip() for row in rows} == {THOUGHT}
    assert {row["exact_match"] for row in rows} == {1.0}
    local, ours = go(task, engine="hf", model=str(folder), name="local", apply_chat_template=True)
    assert [row["resps"] for row in ours] == [row["resps"] for row in rows]
    assert ours[0]["reasoning"] == [THOUGHT]
    short, cut = go(
        task, **through(url, api="chat"), name="short", apply_chat_template=True, gen_kwargs="max_gen_toks=3"
    )
    assert {row["finish"][0] for row in cut} == {"unfinished"}
    assert {row["exact_match"] for row in cut} == {None}
    for outcome in (chat, local, short):
        assert outcome.run is not None
    entry = short.run.record.results.tasks["says"]  # type: ignore[union-attr]
    assert entry.thinking is not None
    assert entry.thinking.unfinished == 1.0


@pytest.mark.vllm
def test_a_budget_closes_the_thought_on_a_real_server_and_resumes_there(
    served: tuple[str, Path], task: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url, folder = served
    answered: list[Reply] = []
    plain = Server.post

    async def counted(self: Server, path: str, content: JsonObject, timeout: float) -> Reply:
        if len(answered) >= dies_after:
            raise EngineError("the server is gone")
        answered.append(await plain(self, path, content, timeout))
        return answered[-1]

    monkeypatch.setattr(Server, "post", counted)
    flags = {
        **through(url, tokenizer=str(folder), max_length="2048", max_concurrency="1"),
        "name": "budget",
        "apply_chat_template": True,
        "think_budget": 3,
    }
    dies_after = 4
    died, _ = go(task, **flags)
    assert died.exit_code == 4
    assert len(answered) == 4
    dies_after = 99
    done, rows = go(task, **flags)
    assert done.exit_code == 0
    assert len(answered) == 6, "what was kept is not asked for again, neither thought nor answer"
    assert [row["resps"] for row in rows] == [[["d"]]] * 3
    assert {row["reasoning"][0] for row in rows} == {"a;"}
    _, ours = go(task, engine="hf", model=str(folder), name="local", apply_chat_template=True, think_budget=3)
    assert [row["resps"] for row in ours] == [row["resps"] for row in rows]
    assert [row["reasoning"] for row in ours] == [row["reasoning"] for row in rows]
