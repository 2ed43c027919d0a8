"""Tool calls as JSON: what the rules take and refuse, through a run's rows."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import evalkit as ek
from evalkit.checks import check, validate
from evalkit.registry.cards import shipped_folder

LANGUAGES = ("en", "ko")


def documents(language: str) -> list[dict[str, Any]]:
    file = shipped_folder() / "tools" / f"tool_call_{language}.jsonl"
    return [json.loads(line) for line in file.read_text("utf-8").splitlines()]


def passes(document: dict[str, Any], answer: str) -> tuple[bool, bool]:
    (outcome,) = (check(spec, answer, document, ()) for spec in document["checks"])
    assert outcome.error is None
    return outcome.passed_strict, outcome.passed_loose


def test_each_reference_calls_a_tool_of_its_prompt_as_the_prompt_describes_it() -> None:
    import jsonschema

    for language in LANGUAGES:
        named = []
        for document in documents(language):
            validate(document["checks"][0], document["id"], document)
            assert passes(document, document["reference"]) == (True, True)
            tools = {
                tool["name"]: tool for tool in map(json.loads, document["instruction"].split("\n\n")[0].split("\n")[1:])
            }
            call = json.loads(document["reference"])
            named.append(call["name"])
            if call["name"] != "none":
                jsonschema.validate(call["arguments"], tools[call["name"]]["parameters"])
        assert len(named) == 24
        assert named.count("none") == 3
        assert len(set(named)) > 8


def test_other_calls_and_talk_fail() -> None:
    for language in LANGUAGES:
        for document in documents(language):
            call = json.loads(document["reference"])
            more = {**call, "arguments": {**call["arguments"], "note": "x"}}
            texts = [
                json.dumps(wrong) for wrong in (more, {**call, "name": "get_time"}, [call], {"name": call["name"]})
            ]
            for text in (*texts, "", "none", document["instruction"], document["input"], document["reference"][:-2]):
                assert passes(document, text) == (False, False), (document["id"], text)
            for text in (
                f"Sure:\n```json\n{document['reference']}\n```",
                f"<tool_call>{document['reference']}</tool_call>",
            ):
                assert passes(document, text) == (False, True), (document["id"], text)
    quoted = {"name": "loan_payment", "arguments": {"principal": "12000", "annual_percent": 5.5, "years": 4}}
    loan = next(d for d in documents("en") if "borrowed" in d["input"])
    assert passes(loan, json.dumps(quoted)) == (False, False)


def test_recorded_calls_are_scored_by_language(tmp_path: Path) -> None:
    rows = [
        {"task": f"tool_call_{language}", "doc_id": i, "output": document["reference"] if i % 4 else "I can't."}
        for language in LANGUAGES
        for i, document in enumerate(documents(language))
    ]
    file = tmp_path / "recorded.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    run = ek.score(file, tasks="tool_call", output_path=tmp_path / "runs", name="a")
    entry = run.stored.record.results.groups["tool_call"]
    assert entry.metrics["checks_strict,none"].value == 0.75
    assert entry.n == 48
