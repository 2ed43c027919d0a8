"""What a task file from a stranger cannot do: run code, read other files, or hang, unless the user allows it."""

from __future__ import annotations

import contextlib
import json
import textwrap
from pathlib import Path

import pytest

from evalkit.errors import ConfigError, DataNotFound, EvalkitError
from evalkit.registry import Registry, validate_path

ROWS = [{"q": f"{i} + 1", "a": str(i + 1)} for i in range(3)]


def evil(ran: Path) -> str:
    return "{{ cycler.__init__.__globals__.os.system('touch " + str(ran) + "') }}"


INLINE = """
    - task: {name}
      dataset_path: json
      dataset_kwargs: {{data_files: {{test: rows.jsonl}}}}
      test_split: test
      output_type: generate_until
      doc_to_text: "{text}"
      doc_to_target: "{{{{a}}}}"
      metric_list: [{{metric: exact_match, aggregation: mean, higher_is_better: true}}]
"""


def inline(text: str, name: str = "inner") -> str:
    return textwrap.dedent(INLINE.format(text=text, name=name)).replace("\n", "\n  ")


def nested(text: str) -> str:
    return "group: own\ntask:\n  - group: inside\n    task:" + inline(text).replace("\n", "\n    ")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "tasks"
    folder.mkdir()
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    return folder


PLACES = {
    "description": "generate_until\n    description: '%s'",
    "prefix": "generate_until\n    gen_prefix: '%s'",
    "shots": "generate_until\n    fewshot_config: {doc_to_text: '%s', samples: [{q: a, a: b}]}\n    num_fewshot: 1",
    "choices": "multiple_choice\n    doc_to_choice: '%s'",
    "program": "generate_until\n    sandbox: {language: python, program: '%s'}",
}


@pytest.mark.parametrize("place", ["inline", "nested", "number", "target", *PLACES])
def test_a_task_written_out_in_a_group_file_runs_no_code(folder: Path, place: str) -> None:
    ran = folder / "ran"
    body = {
        "inline": lambda text: "group: own\ntask:" + inline(text),
        "nested": nested,
        "number": lambda text: "group: own\ntask:" + inline(text, "5"),
        "target": lambda text: "group: own\ntask:" + inline("{{q}}").replace("{{a}}", text),
    }.get(place)
    if body is None:
        quoted = PLACES[place] % evil(ran).replace("'", "''")
        text = "group: own\ntask:" + inline("{{q}}").replace("generate_until", quoted)
    else:
        text = body(evil(ran))
    (folder / "own.yaml").write_text(text)
    for attempt in (lambda: build_all(Registry([folder])), lambda: validate_path(folder)):
        with contextlib.suppress(EvalkitError):
            attempt()
        assert not ran.exists()


def build_all(registry: Registry) -> None:
    for task in registry.load(["own"]).tasks.values():
        task.build()


@pytest.mark.hub
@pytest.mark.parametrize(
    "member", ["task: [mmlu_anatomy]", "task: [{task: mmlu_anatomy, %s}]", "task: [{group: mmlu_stem, %s}]"]
)
def test_a_group_that_overrides_a_task_of_lm_evals_runs_no_code(folder: Path, hub: Path, member: str) -> None:
    ran = folder / "ran"
    override = f'doc_to_text: "{evil(ran)}"'
    text = "group: own\n" + (member % override if "%" in member else f"{member}\n{override}") + "\n"
    (folder / "own.yaml").write_text(text)
    for attempt in (lambda: build_all(Registry([folder], data_dir=hub)), lambda: validate_path(folder, data_dir=hub)):
        with pytest.raises(EvalkitError, match=r"own\.yaml: task .*unsafe"):
            attempt()
        assert not ran.exists()


@pytest.mark.hub
def test_a_group_cannot_give_a_task_of_lm_evals_a_metric_that_is_fetched(folder: Path, hub: Path) -> None:
    override = "metric_list: [{metric: stranger/code, aggregation: mean, higher_is_better: true}]"
    (folder / "own.yaml").write_text(f"group: own\ntask: [{{task: mmlu_anatomy, {override}}}]\n")
    with pytest.raises(ConfigError, match=r"own\.yaml: metric_list: 'stranger/code' is none of lm-eval's metrics"):
        Registry([folder], data_dir=hub).load(["own"])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("<<: {include: other.txt}\ntask: own\n", r"other\.txt:1: `!function tools.run` runs"),
        ("include: other.txt\ntask: own\n", r"other\.txt:1: `!function tools.run` runs"),
        ("include: [fine.txt, other.txt]\ntask: own\n", r"other\.txt:1: `!function tools.run` runs"),
        (
            "group: own\ntask: [{task: x, dataset_path: json, process_docs: !function tools.run}]\n",
            r"own\.yaml:2: `!fu",
        ),
        (
            "%TAG !e! !\n---\ntask: own\nprocess_docs: !e!function tools.run\n",
            r"own\.yaml:4: `!function tools.run` runs",
        ),
        ("task: own\nprocess_docs: !<!function> tools.run\n", r"own\.yaml:2: `!function tools.run` runs"),
        ("task: own\nclass: os.system\n", r"class: 'os.system' is text"),
        ("task: own\nunsafe_code: false\n", r"own\.yaml: unsafe_code: .* no task file lifts it"),
        ("task: own\ndataset_path: json\nuse_prompt: 'prompts.yaml:x'\n", r"use_prompt: prompts of other packages"),
        ("task: own\ndataset_path: ./script.py\ntest_split: test\n", r"dataset_path './script.py' is not read"),
        (
            "task: own\ndataset_path: pandas\ndataset_kwargs: {data_files: {test: rows.jsonl}}\ntest_split: test\n",
            "'pandas'",
        ),
    ],
)
def test_code_in_other_places_is_refused(folder: Path, text: str, message: str) -> None:
    ran = folder / "ran"
    (folder / "tools.py").write_text(f"open({str(ran)!r}, 'w')\ndef run(docs):\n    return docs\n")
    (folder / "script.py").write_text(f"open({str(ran)!r}, 'w')\n")
    (folder / "other.txt").write_text("process_docs: !function tools.run\n")
    (folder / "fine.txt").write_text("test_split: test\n")
    (folder / "own.yaml").write_text(text)
    for attempt in (lambda: Registry([folder]).load(["own"]), lambda: validate_path(folder / "own.yaml")):
        with pytest.raises(ConfigError, match=message):
            attempt()
        assert not ran.exists()


def test_a_template_cannot_call_what_a_document_holds() -> None:
    import lm_eval.utils

    from evalkit.registry.templates import Templates

    class Image:
        def save(self, path: str) -> str:
            return path

    templates = Templates(lm_eval.utils.env)
    with pytest.raises(Exception, match="not safely callable"):
        templates.render("{{ image.save('x') }}", {"image": Image()})
    assert templates.render("{{ a.strip().replace('b', 'c') }}{{ '{}'.format(1) }}", {"a": " b "}) == "c1"


def test_lm_evals_own_templates_call_only_methods_of_text() -> None:
    """So that rendering them in the sandbox changes nothing."""
    import re

    import lm_eval.tasks

    called: set[str] = set()
    root = Path(lm_eval.tasks.__file__).parent
    for path in root.glob("**/*"):
        if path.suffix in ("", ".yaml", ".yml") and path.is_file():
            for template in re.findall(r"\{[{%].*?[%}]\}", path.read_text(encoding="utf-8", errors="replace"), re.S):
                called |= set(re.findall(r"\.\s*(\w+)\s*\(", template))
                assert "__" not in re.sub(r"['\"].*?['\"]", "", template), (path, template)
    assert called <= {"strip", "lstrip", "rstrip", "split", "replace", "index", "join", "capitalize", "lower", "upper"}


# ── files of this machine ────────────────────────────────────────────────────


TASK = """task: own
dataset_path: {path}
dataset_kwargs: {{data_files: {{test: "{files}"}}}}
test_split: test
output_type: generate_until
doc_to_text: "{{{{text}}}}"
doc_to_target: ""
"""


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    path = tmp_path / "home" / "secret.txt"
    path.parent.mkdir()
    path.write_text("key\n")
    return path


@pytest.mark.parametrize(
    "files", ["{secret}", "file://{secret}", "../home/secret.txt", "../home/*.txt", "link.txt", "li*.txt"]
)
def test_files_outside_the_folder_are_not_read_as_documents(folder: Path, secret: Path, files: str) -> None:
    (folder / "link.txt").symlink_to(secret)
    (folder / "own.yaml").write_text(TASK.format(path="text", files=files.format(secret=secret)))
    for attempt in (lambda: Registry([folder]).load(["own"]), lambda: validate_path(folder / "own.yaml")):
        with pytest.raises(ConfigError, match=r"would read .*secret\.txt.* --include-path") as caught:
            attempt()
        assert "\n" not in str(caught.value)
    assert Registry([folder, secret.parent]).load(["own"]).tasks["own"].size == 1
    assert Registry([folder], data_dir=secret.parent).load(["own"]).tasks["own"].size == 1
    assert Registry([folder], allow_task_code=True).load(["own"]).tasks["own"].size == 1


@pytest.mark.parametrize("files", ["file://{secret}::https://127.0.0.1/x", "reference://::https://127.0.0.1/x"])
def test_an_address_names_no_file_of_this_machine_on_its_way(folder: Path, secret: Path, files: str) -> None:
    (folder / "own.yaml").write_text(TASK.format(path="text", files=files.format(secret=secret)))
    with pytest.raises(ConfigError, match=r"own\.yaml: data_files: .* before :: is not read"):
        Registry([folder]).load(["own"])


@pytest.mark.parametrize(
    "text",
    ["{{ 'a' * 10000000000 }}", "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}"],
)
def test_a_template_that_never_ends_stops_its_task_at_once(folder: Path, text: str) -> None:
    later = "{% if q.startswith('1') %}" + text + "{% endif %}"
    body = TASK.format(path="json", files="rows.jsonl").replace('"{{text}}"', f'"{later}"')
    (folder / "own.yaml").write_text(body)
    with pytest.raises(ConfigError, match=r"task own: document 1: the template .* takes too many steps"):
        Registry([folder]).load(["own"]).tasks["own"].build()


def test_half_a_character_of_a_template_is_an_error_of_its_document(folder: Path) -> None:
    text = r"{{ '\ud800' if q.startswith('1') else q }}"
    (folder / "own.yaml").write_text(TASK.format(path="json", files="rows.jsonl").replace('"{{text}}"', f"{text!r}"))
    documents = Registry([folder]).load(["own"]).tasks["own"].build()
    assert ["surrogates not allowed" in str(document.error) for document in documents] == [False, True, False]


def test_a_group_cannot_point_a_task_elsewhere(folder: Path, secret: Path) -> None:
    files = f"dataset_kwargs: {{data_files: {{test: '{secret}'}}}}"
    body = f"group: own\ntask:\n  - {{task: arc_easy, dataset_path: text, dataset_name: null, {files}}}\n"
    (folder / "own.yaml").write_text(body)
    with pytest.raises(ConfigError, match=r"would read .*secret\.txt"):
        Registry([folder]).load(["own"])


@pytest.mark.parametrize("kind", ["readme", "folder", "folder_link", "conversation"])
def test_nor_by_way_of_a_folder(folder: Path, secret: Path, kind: str) -> None:
    data = folder / "data"
    data.mkdir()
    (data / "a.txt").write_text("fine\n")
    text = TASK.format(path="data", files="x").replace('dataset_kwargs: {data_files: {test: "x"}}\n', "")
    if kind == "readme":
        files = "  data_files:\n  - split: test\n    path: ../../home/secret.txt\n"
        (data / "README.md").write_text(f"---\nconfigs:\n- config_name: default\n{files}---\n")
    elif kind == "folder":
        text = text.replace("dataset_path: data", f"dataset_path: {secret.parent}")
    elif kind == "folder_link":
        (data / "test.txt").symlink_to(secret)
    else:
        (secret.parent / "s.jsonl").write_text('{"instruction": "x", "output": "y"}\n')
        text = TASK.format(path="json", files=str(secret.parent / "s.jsonl")) + "conversation: messages\n"
    (folder / "own.yaml").write_text(text)
    with pytest.raises((ConfigError, DataNotFound)) as caught:
        Registry([folder]).load(["own"])
    assert "would read" in str(caught.value) or kind == "readme"


def test_a_name_of_the_hub_is_no_folder_of_the_working_directory(
    folder: Path, secret: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(secret.parent.parent)
    text = TASK.format(path="home", files="x").replace('dataset_kwargs: {data_files: {test: "x"}}\n', "")
    (folder / "own.yaml").write_text(text.replace("test_split: test", "test_split: train"))
    with pytest.raises(ConfigError, match="would read"):
        Registry([folder]).load(["own"])


def test_data_files_are_looked_for_beside_the_task_file(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder.parent / "notes.txt").write_text("one\n")
    (folder / "own.yaml").write_text(TASK.format(path="text", files="notes.txt"))
    monkeypatch.chdir(folder.parent)
    with pytest.raises(DataNotFound, match=r"notes\.txt is not beside the task file: .*tasks/notes\.txt does"):
        Registry([folder]).load(["own"])
    (folder / "notes.txt").write_text("one\ntwo\n")
    assert Registry([folder]).load(["own"]).tasks["own"].size == 2


# ── bombs ────────────────────────────────────────────────────────────────────


BOMB = "metadata:\n  a0: &a0 [x, x]\n" + "".join(
    f"  a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 12)
)


@pytest.mark.parametrize("where", ["own", "included"])
def test_a_bomb_in_a_task_file_is_refused(folder: Path, where: str) -> None:
    text = TASK.format(path="json", files="rows.jsonl")
    (folder / "bomb.txt").write_text(BOMB)
    (folder / "own.yaml").write_text(text + (BOMB if where == "own" else "include: bomb.txt\n"))
    for attempt in (lambda: Registry([folder]).load(["own"]), lambda: validate_path(folder / "own.yaml")):
        with pytest.raises(ConfigError, match="stands for more than 100,000 values"):
            attempt()
