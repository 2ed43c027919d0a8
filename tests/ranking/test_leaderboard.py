"""The leaderboard, from outside: run folders in, tables out."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from evalkit.cli import main
from evalkit.models import catalog
from evalkit.reporting.leaderboard_view import as_csv, as_html, as_json, as_markdown, show
from evalkit.results import Run
from tests.helpers.boards import board, figure, rows, write


def verb(*argv: object) -> object:
    with pytest.raises(SystemExit) as stopped:
        main(["leaderboard", *map(str, argv)])
    return stopped.value.code or 0


# ── what stands in it ────────────────────────────────────────────────────────


def test_a_run_that_does_not_say_when_has_no_date(tmp_path: Path) -> None:
    path = write(tmp_path, "a", {"mmlu": 0.6}).path
    manifest = json.loads((path / "manifest.json").read_text())
    (path / "manifest.json").write_text(json.dumps({**manifest, "created": None, "finished": "soon"}))
    made = board(tmp_path)
    [row] = json.loads(as_json(made))["rows"]
    assert row["date"] == {"value": None, "reason": "the run's manifest doesn't say"}
    assert [row["date"] for row in rows(made)] == [""]
    assert "0001" not in as_markdown(made) + as_html(made) + as_csv(made)


def test_what_is_better_neither_way_has_no_arrow_and_is_in_no_mean(tmp_path: Path) -> None:
    run = write(tmp_path, "a", {"answers": 0.9}, metric="length_ratio,none")
    content = json.loads((run.path / "results.json").read_text())
    content["tasks"]["answers"]["metrics"]["length_ratio,none"]["higher_is_better"] = None
    (run.path / "results.json").write_text(json.dumps(content))
    made = board(tmp_path)
    assert made.shared == ()
    assert any("neither more nor less length_ratio,none is better" in note for note in made.notes)
    assert "↓" not in as_markdown(made)


@pytest.mark.parametrize("content", ["{}", "[", '{"schema": 1, "tasks": {"mmlu": [1]}}'])
def test_a_record_of_overlaps_that_cannot_be_read_is_a_note_of_its_run(tmp_path: Path, content: str) -> None:
    for name in ("a", "b"):
        path = write(tmp_path, name, {"mmlu": 0.6}).path
    (path / "overlap.json").write_text(content)
    made = board(tmp_path)
    assert len(made.lines) == 2
    [note] = [note for note in made.notes if "overlap.json" in note]
    assert note.startswith("b (")
    assert "not known" in note


def test_a_line_says_all_there_is_to_know(tmp_path: Path) -> None:
    write(tmp_path, "한국어-모델", {"mmlu": 0.61234567, "gsm8k": 0.4}, chance=0.2)
    made = json.loads(as_json(board(tmp_path)))
    [row] = made["rows"]
    assert row["model"] == "한국어-모델"
    assert (row["parameters"], row["license"]) == (7_241_732_096, "apache-2.0")
    assert (row["engine"], row["precision"]) == ("vllm", "bfloat16")
    assert row["benchmarks"]["mmlu"] == {
        "value": 0.61234567,
        "stderr": 0.01,
        "ci95": [0.61234567 - 0.02, 0.61234567 + 0.02],
        "num_fewshot": 5,
    }
    assert row["mean"]["value"] == pytest.approx((0.61234567 + 0.4) / 2)
    assert row["mean"]["stderr"] == pytest.approx(0.01 / 2**0.5)
    assert row["normalised_mean"]["value"] == pytest.approx(((0.61234567 - 0.2) / 0.8 + 0.2 / 0.8) / 2)
    assert (row["date"], row["run_id"], row["status"]) == ("2026-03-01", "r1", "complete")
    assert row["rank"] == {"best": 1, "worst": 1, "tied": False}
    assert made["mean_over"] == made["normalised_mean_over"] == ["mmlu", "gsm8k"]
    assert made["benchmarks"]["mmlu"]["metric"] == "acc,none"


def test_what_is_not_known_says_why(tmp_path: Path) -> None:
    write(tmp_path, "a", {"mmlu": 0.5, "gsm8k": None}, parameters=None, license=None)
    write(tmp_path, "b", {"mmlu": 0.5})
    made = {row["model"]: row for row in json.loads(as_json(board(tmp_path)))["rows"]}
    assert made["a"]["parameters"]["value"] is None
    assert made["a"]["parameters"]["reason"]
    assert made["a"]["benchmarks"]["gsm8k"]["reason"] == "no document was scored"
    assert made["b"]["benchmarks"]["gsm8k"]["reason"] == "not run"
    assert [row["gsm8k acc,none"] for row in rows(board(tmp_path))] == ["", ""]


def test_a_figure_that_is_not_a_number_is_never_shown_as_one(tmp_path: Path) -> None:
    run = write(tmp_path, "a", {"mmlu": 0.5})
    text = (run.path / "results.json").read_text().replace('"value": 0.5', '"value": NaN')
    (run.path / "results.json").write_text(text)
    [row] = json.loads(as_json(board(tmp_path)))["rows"]
    assert row["benchmarks"]["mmlu"] == {"value": None, "reason": "not a number", "num_fewshot": 5}
    assert row["mean"]["value"] is None


# ── means ────────────────────────────────────────────────────────────────────


def test_the_mean_is_over_the_benchmarks_that_all_lines_share(tmp_path: Path) -> None:
    write(tmp_path, "a", {"mmlu": 0.5, "gsm8k": 0.9})
    write(tmp_path, "b", {"mmlu": 0.6, "bbh": 0.1})
    made = board(tmp_path)
    assert made.shared == ("mmlu",)
    assert [line.mean.value for line in made.lines] == [0.6, 0.5]
    assert {name for note in made.notes for name in ("gsm8k", "bbh") if name in note} == {"gsm8k", "bbh"}


def test_without_a_shared_benchmark_there_is_no_mean_and_no_rank(tmp_path: Path) -> None:
    write(tmp_path, "a", {"gsm8k": 0.9})
    write(tmp_path, "b", {"bbh": 0.1})
    made = json.loads(as_json(board(tmp_path)))
    assert [(row["rank"], row["mean"]["value"]) for row in made["rows"]] == [(None, None)] * 2
    assert "no benchmark is shared" in made["rows"][0]["mean"]["reason"]


def test_what_is_no_share_of_one_stays_out_of_the_mean(tmp_path: Path) -> None:
    write(tmp_path, "a", {"wikitext": 12.5}, metric="word_perplexity,none", higher=False)
    made = board(tmp_path)
    assert made.shared == ()
    assert "wikitext" in made.notes[0]
    assert "↓" in as_markdown(made)


def test_a_benchmark_of_unknown_chance_is_named_and_left_out_of_the_normalised_mean(tmp_path: Path) -> None:
    write(tmp_path, "a", {"mmlu": 0.5}, chance=None)
    made = board(tmp_path)
    assert (made.shared, made.normalised) == (("mmlu",), ())
    assert made.lines[0].normalised.reason
    assert any("chance" in note for note in made.notes)


def forget(run: Run, *keys: str) -> None:
    """A folder of another make: what evalkit adds of its own accord is absent."""
    manifest, results = (json.loads((run.path / name).read_text()) for name in ("manifest.json", "results.json"))
    for key in keys:
        manifest["model"].pop(key, None)
        for task in results["tasks"].values():
            task.pop(key, None)
    (run.path / "manifest.json").write_text(json.dumps(manifest))
    (run.path / "results.json").write_text(json.dumps(results))


def test_the_usual_chance_stands_in_where_a_run_says_nothing(tmp_path: Path) -> None:
    forget(write(tmp_path, "a", {"mmlu": 0.5}, chance=0.5), "chance")
    write(tmp_path, "b", {"mmlu": 0.5}, chance=0.4)
    assert board(tmp_path).normalised == ()
    made = {line.label: line.normalised.value for line in board(tmp_path, chances={"mmlu": 0.25}).lines}
    assert made == {"a": pytest.approx(0.25 / 0.75), "b": pytest.approx(0.1 / 0.6)}


def test_the_verb_knows_the_shipped_benchmarks_chance(tmp_path: Path) -> None:
    forget(write(tmp_path, "a", {"mmlu": 0.625, "gsm8k": 0.5}), "chance")
    assert verb("--output-path", tmp_path, "--json", tmp_path / "board.json") == 0
    made = json.loads((tmp_path / "board.json").read_text())
    assert made["normalised_mean_over"] == ["mmlu", "gsm8k"]
    assert made["rows"][0]["normalised_mean"]["value"] == pytest.approx(0.5)


def test_a_model_of_the_catalogue_is_known_where_its_run_says_nothing(tmp_path: Path) -> None:
    forget(write(tmp_path, "mistral-7b-instruct", {"mmlu": 0.5}), "source", "parameters", "license")
    forget(write(tmp_path, "my-own", {"mmlu": 0.5}), "source", "parameters", "license")
    made = {line.label: line for line in board(tmp_path).lines}
    known = catalog.get("mistral-7b-instruct")
    assert known is not None
    assert made["mistral-7b-instruct"].parameters == known.parameters.value > 7e9
    assert made["mistral-7b-instruct"].license == known.license.value
    assert (made["my-own"].parameters, made["my-own"].license) == (None, None)


def test_a_folder_that_is_not_there_is_exit_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert verb("--output-path", tmp_path / "none") == 2
    assert "there is no folder" in capsys.readouterr().err


# ── ranks ────────────────────────────────────────────────────────────────────


def test_lines_that_the_data_cannot_separate_are_tied(tmp_path: Path) -> None:
    for model, value in {"best": 0.80, "nearly": 0.79, "worst": 0.20}.items():
        write(tmp_path, model, {"mmlu": value})
    made = board(tmp_path)
    assert [(line.label, line.rank.low, line.rank.high) for line in made.lines if line.rank] == [
        ("best", 1, 2),
        ("nearly", 1, 2),
        ("worst", 3, 3),
    ]
    found = rows(made)
    assert [row["rank"] for row in found] == ["1", "1", "3"]
    assert as_markdown(made).count("1–2 tied") == 2


def test_all_right_is_not_taken_for_certain(tmp_path: Path) -> None:
    # Three of three: the formula's standard error is 0, Wilson's interval is wide.
    run = write(tmp_path, "lucky", {"mmlu": 1.0}, stderr=0.0)
    text = (run.path / "results.json").read_text()
    (run.path / "results.json").write_text(text.replace(json.dumps([1.0, 1.0]), json.dumps([0.438, 1.0])))
    write(tmp_path, "good", {"mmlu": 0.6}, stderr=0.1)
    made = board(tmp_path)
    assert made.lines[0].mean.stderr == pytest.approx(0.562 / 1.96, rel=0.01)
    assert {(line.rank.low, line.rank.high) for line in made.lines if line.rank} == {(1, 2)}


def test_figures_without_an_error_separate_nothing(tmp_path: Path) -> None:
    write(tmp_path, "a", {"mmlu": 0.9}, stderr=None)
    write(tmp_path, "b", {"mmlu": 0.1}, stderr=None)
    assert {(line.rank.low, line.rank.high) for line in board(tmp_path).lines if line.rank} == {(1, 2)}


# ── which runs ───────────────────────────────────────────────────────────────


def test_one_model_has_one_line_its_newest_complete_run(tmp_path: Path) -> None:
    write(tmp_path, "a", {"mmlu": 0.1}, run_id="old", day=1)
    write(tmp_path, "a", {"mmlu": 0.2}, run_id="new", day=2)
    write(tmp_path, "a", {"mmlu": 0.3}, run_id="limited", day=3, status="limited")
    write(tmp_path, "a", {"mmlu": 0.4}, run_id="killed", day=4, finished=False)
    assert [line.run.run_id for line in board(tmp_path).lines] == ["new"]
    assert [line.run.run_id for line in board(tmp_path, also=["limited"]).lines] == ["new"]
    assert {line.run.run_id for line in board(tmp_path, every=True).lines} == {"old", "new"}
    shown = board(tmp_path, every=True, also=["limited", "partial"])
    assert {line.run.run_id for line in shown.lines} == {"old", "new", "limited", "killed"}
    assert "LIMITED" in as_markdown(shown)
    (note,) = [note for note in board(tmp_path).notes if "1 limited" in note]
    assert "(--include limited" in note


def test_an_alias_and_its_hub_id_are_one_model_and_an_adapter_is_another(tmp_path: Path) -> None:
    write(tmp_path, "nano", {"mmlu": 0.1}, source="org/nano")
    write(tmp_path, "org/nano", {"mmlu": 0.2}, source="org/nano", day=2)
    tuned = write(tmp_path, "nano+ko", {"mmlu": 0.3}, source="org/nano")
    manifest = json.loads((tuned.path / "manifest.json").read_text())
    (tuned.path / "manifest.json").write_text(json.dumps({**manifest, "adapter": {"name": "ko"}}))
    assert {line.label for line in board(tmp_path).lines} == {"org/nano", "nano+ko"}


def test_columns_that_were_measured_in_several_ways_are_named(tmp_path: Path) -> None:
    write(tmp_path, "a", {"mmlu": 0.1}, shots=0)
    write(tmp_path, "b", {"mmlu": 0.2}, shots=5)
    assert any("shots (0, 5)" in note for note in board(tmp_path).notes)


def test_groups_stand_under_the_name_that_was_typed(tmp_path: Path) -> None:
    run = write(tmp_path, "a", {"mmlu_algebra": 0.5, "mmlu_law": 0.7})
    content = json.loads((run.path / "results.json").read_text())
    content["requested"] = ["mmlu"]
    members = ["mmlu_algebra", "mmlu_law"]
    content["groups"] = {"mmlu": {"n": 200, "members": members, "metrics": {"acc,none": figure(0.6)}}}
    (run.path / "results.json").write_text(json.dumps(content))
    [line] = board(tmp_path).lines
    assert (line.scores["mmlu"].value, line.shots["mmlu"]) == (0.6, 5)
    assert set(line.scores) == {"mmlu"}


def test_a_group_without_a_figure_stands_for_its_members(tmp_path: Path) -> None:
    run = write(tmp_path, "a", {"arithmetic": 0.5, "endings": 0.7})
    content = json.loads((run.path / "results.json").read_text())
    content |= {"requested": ["mini"], "groups": {"mini": {"members": ["arithmetic", "endings"], "metrics": {}}}}
    (run.path / "results.json").write_text(json.dumps(content))
    assert board(tmp_path).shared == ("arithmetic", "endings")


def test_no_run_is_said_not_shown_as_a_table(tmp_path: Path) -> None:
    assert "No run" in as_markdown(board(tmp_path))
    assert json.loads(as_json(board(tmp_path)))["rows"] == []
    assert "No run" in as_html(board(tmp_path))
    assert len(as_csv(board(tmp_path)).splitlines()) == 1


# ── CSV ──────────────────────────────────────────────────────────────────────


def test_csv_opens_right_in_a_spreadsheet(tmp_path: Path) -> None:
    write(tmp_path, "한국어", {"mmlu": 0.123456789012345})
    text = as_csv(board(tmp_path))
    assert text.encode().startswith(b"\xef\xbb\xbf")
    lines = text.removeprefix("\ufeff").split("\r\n")
    assert len(lines) == 3
    assert lines[-1] == ""
    [row] = rows(board(tmp_path))
    assert row["model"] == "한국어"
    assert float(row["mmlu acc,none"]) == 0.123456789012345
    assert row["parameters"] == "7241732096"


def test_a_hostile_model_name_is_harmless_everywhere(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    name = '=HYPERLINK("http://x")<script>alert(1)</script>|[bold]`x`'
    write(tmp_path, name, {"mmlu": 0.5}, license='@x"\n=1')
    made = board(tmp_path)
    [row] = rows(made)
    assert row["model"] == "'" + name
    assert row["license"].startswith("'@")
    html = as_html(made)
    assert "<script" not in html
    assert "&lt;script&gt;" in html
    markdown = as_markdown(made)
    assert "<script" not in markdown
    assert len({len(re.findall(r"(?<!\\)\|", line)) for line in markdown.splitlines() if line.startswith("|")}) == 1
    show(made)
    assert "HYPERLINK" in capsys.readouterr().out


# ── HTML ─────────────────────────────────────────────────────────────────────


class Page(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.cells = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self.cells += tag == "td"


def test_the_page_loads_nothing_and_runs_nothing(tmp_path: Path) -> None:
    write(tmp_path, "a", {"mmlu": 0.5, "gsm8k": 0.1})
    page = Page()
    page.feed(as_html(board(tmp_path)))
    assert not {"script", "link", "img", "iframe"} & {tag for tag, _ in page.tags}
    assert not any(name.startswith("on") or name in ("src", "href") for _, found in page.tags for name in found)
    [policy] = [found["content"] or "" for tag, found in page.tags if found.get("http-equiv")]
    assert policy.startswith("default-src 'none'; style-src 'sha256-")
    assert page.cells == 12


def test_the_style_is_the_one_that_the_policy_allows(tmp_path: Path) -> None:
    import base64
    import hashlib

    html = as_html(board(tmp_path))
    style = html.partition("<style>")[2].partition("</style>")[0]
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert f"&#39;sha256-{digest}&#39;" in html or f"'sha256-{digest}'" in html


def test_csv_says_how_many_documents_and_whether_a_chat_template(tmp_path: Path) -> None:
    run = write(tmp_path, "a", {"mmlu": 0.5})
    manifest = json.loads((run.path / "manifest.json").read_text())
    (run.path / "manifest.json").write_text(json.dumps({**manifest, "chat_template": {"applied": True}}))
    write(tmp_path, "b", {"mmlu": 0.6})
    found = {row["model"]: row for row in rows(board(tmp_path))}
    assert {row["mmlu documents"] for row in found.values()} == {"100"}
    assert (found["a"]["chat_template"], found["b"]["chat_template"]) == ("yes", "")


# ── on a terminal ────────────────────────────────────────────────────────────


def on_a_terminal(monkeypatch: pytest.MonkeyPatch, columns: int) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", str(columns))


def test_few_figures_stand_in_one_table(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    on_a_terminal(monkeypatch, 100)
    write(tmp_path, "nano", {"mmlu": 0.5, "gsm8k": 0.25})
    show(board(tmp_path))
    shown = capsys.readouterr().out
    assert re.search(r"1  .*nano.*0\.375 .*0\.500 +0\.250", shown)
    assert "apache" not in shown
    show(board(tmp_path), wide=True)
    assert "apache-2.0" in capsys.readouterr().out


def test_many_figures_have_a_line_each(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    on_a_terminal(monkeypatch, 80)
    names = [f"benchmark_{place}" for place in range(30)]
    for model, value in {"one": 0.1, "two": 0.2, "three": 0.3}.items():
        write(tmp_path, model, dict.fromkeys(names, value))
    show(board(tmp_path))
    shown = re.sub(r"\x1b\[[0-9;]*m", "", capsys.readouterr().out)
    for name in names:
        assert re.search(rf"^{name} .* 0\.300 +0\.200 +0\.100$", shown, re.MULTILINE)
    assert len(shown.splitlines()) < 60
