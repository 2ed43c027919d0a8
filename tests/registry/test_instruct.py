"""The probe of instruction following from end to end, with recorded answers and with real engines."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from evalkit.cli import main
from evalkit.config import RunConfig
from evalkit.registry import Registry
from evalkit.reporting.run_view import report
from evalkit.results import Run
from evalkit.results.recorded import Recording
from evalkit.runner import Outcome
from evalkit.runner.recorded import score
from evalkit.sandbox import Sandbox
from evalkit.types import Generated, GenerateRequest
from tests.helpers.instruct import DOCUMENTS, FAMILIES, Heard
from tests.helpers.judged import evalkit
from tests.helpers.runfolders import results_of


def test_the_group_has_both_languages_and_all_families(suite: Any) -> None:
    assert suite.requested == ("instruct",)
    assert suite.headline("instruct") == "checks_strict,none"
    leaves = {f"instruct_{family}_{language}" for family in FAMILIES for language in ("en", "ko")}
    assert set(suite.leaves("instruct")) == leaves
    assert set(suite.leaves("instruct_ko")) == {name for name in leaves if name.endswith("_ko")}
    assert {name for name, task in suite.tasks.items() if task.is_code} == {"instruct_python_en", "instruct_python_ko"}


def test_show_says_whose_document_it_shows_where_a_name_stands_for_several(capsys: pytest.CaptureFixture[str]) -> None:
    with contextlib.suppress(SystemExit):
        main(["tasks", "show", "instruct_json"])
    said = capsys.readouterr().out
    assert "instruct_json stands for 2 tasks" in said
    assert "instruct_json_en, document 0" in said
    with contextlib.suppress(SystemExit):
        main(["tasks", "show", "instruct_json_ko"])
    said = capsys.readouterr().out
    assert "instruct_json_ko, document 0" in said
    assert "stands for" not in said


def test_a_family_can_be_asked_for_alone() -> None:
    assert set(Registry().load(["instruct_format"]).requested) == {"instruct_format_en", "instruct_format_ko"}


def recorded(path: Path, answer: Callable[[Mapping[str, Any]], str], families: Sequence[str] = FAMILIES) -> Path:
    """Answers to the probe as a file of recorded answers."""
    with path.open("w", encoding="utf-8") as file:
        for language in ("en", "ko"):
            for family in families:
                mine = [d for d in DOCUMENTS if d["id"].startswith(f"{family}-{language}-")]
                for doc_id, document in enumerate(mine):
                    replies = [[text] for text in document.get("replies", ())]
                    row = {"task": f"instruct_{family}_{language}", "doc_id": doc_id}
                    file.write(json.dumps({**row, "resps": [*replies, [answer(document)]]}) + "\n")
    return path


def scored(path: Path, tmp_path: Path, tasks: str = "instruct") -> Outcome:
    config = RunConfig.build(model="recorded", tasks=tasks, output_path=str(tmp_path / "results"))
    return score(Recording.load(path), config, Heard(), report)


def test_hand_written_answers_score_1_and_their_absence_is_no_0(tmp_path: Path) -> None:
    done = scored(recorded(tmp_path / "good.jsonl", lambda d: d["reference"]), tmp_path)
    figures = results_of(done)["groups"]["instruct"]["metrics"]
    assert {name: figure["value"] for name, figure in figures.items()} == {
        "checks_strict,none": 1.0, "checks_loose,none": 1.0, "checks_share,none": 1.0
    }  # fmt: skip
    assert results_of(done)["groups"]["instruct"]["n"] == len(DOCUMENTS)
    low, high = figures["checks_strict,none"]["ci95"]
    assert low < 1.0 == high, "all right is not certain"
    assert results_of(done)["status"] == "complete"


def test_a_row_says_which_check_failed_and_how_the_conversation_went(tmp_path: Path) -> None:
    families = ("conversation", "json")
    path = recorded(tmp_path / "mixed.jsonl", lambda d: f"Sure!\n{d['reference']}", families)
    done = scored(path, tmp_path, "instruct_conversation_en,instruct_json_en")
    rows = list(Run.open(done.path).rows("instruct_json_en"))
    assert all(row["checks_strict"] == 0.0 and row["checks_loose"] == 1.0 for row in rows)
    assert rows[0]["checks"][0]["kind"] == "json"
    assert rows[0]["checks"][0]["reason"]
    spoken = list(Run.open(done.path).rows("instruct_conversation_en"))[1]
    assert [turn["content"] for turn in spoken["conversation"]][1] == "OK"
    assert "Assistant: OK\n\nUser: Which number" in spoken["arguments"][1][0], "the second turn as it was asked"


def test_a_broken_check_is_an_error_of_its_row(tmp_path: Path, sandbox: Sandbox) -> None:
    task = Registry().load(["instruct_python_en"]).tasks["instruct_python_en"]
    document = task.build(1)[0]
    (row,) = task.score(document, [[Generated(0, "def is_even(n): return True", "stop", 3)]], verdicts=())
    assert row.metrics == {"checks_strict": None, "checks_loose": None, "checks_share": None}
    assert "error" in row.flags
    assert "code" in row.sample["error"]


def test_the_probe_runs_on_nano_and_turns_go_through_the_real_engine(tmp_path: Path) -> None:
    evalkit(
        *("run", "--model", "nano", "--tasks", "instruct_conversation_ko,instruct_python_en", "-q"),
        *("--gen-kwargs", "max_gen_toks=16", "--output-path", str(tmp_path), "--name", "n"),
    )
    run = Run.open(tmp_path / "nano" / "n")
    rows = list(run.rows("instruct_conversation_ko"))
    later = [row for row in rows if len(row["resps"]) > 1]
    assert later
    assert all(row["resps"][0][0].strip() in row["arguments"][1][0] for row in later)
    assert results_of(run)["status"] == "complete"
    assert results_of(run)["tasks"]["instruct_python_en"]["metrics"]["checks_strict,none"]["value"] is not None


def test_prompts_fit_a_window_of_1024_tokens(suite: Any) -> None:
    from evalkit.tokens import Tokenizer
    from evalkit.types import ModelSpec

    folder = Path(__file__).resolve().parents[2] / "evalkit" / "_models" / "nano"
    tokenizer = Tokenizer.load(ModelSpec("nano", str(folder)))
    for task in suite.tasks.values():
        requests = [request for document in task.build() for request in document.requests if request.follows is None]
        for encoded in tokenizer.encode(requests):
            for request in encoded.requests:
                assert isinstance(request, GenerateRequest)
                assert request.cut_tokens == 0
                assert len(request.prompt) + request.sampling.max_tokens <= 1024


def test_a_chat_server_gets_turns_with_its_own_answers_in_them(tmp_path: Path) -> None:
    from tests.helpers.loopback import Loopback

    with Loopback(says="I see.") as server:
        evalkit(
            *("run", "--engine", "openai", "--model", "m", "--model-args", f"base_url={server.url}", "-q"),
            *(
                "--tasks",
                "instruct_conversation_en",
                "--apply-chat-template",
                "--output-path",
                str(tmp_path),
                "--name",
                "n",
            ),
        )
    rows = list(Run.open(tmp_path / "m" / "n").rows("instruct_conversation_en"))
    later = [row for row in rows if len(row["resps"]) > 1]
    assert later
    for row in later:
        turns = json.loads(row["arguments"][1][0])
        assert {"role": "assistant", "content": "I see."} in turns
        assert turns[-1]["role"] == "user"
