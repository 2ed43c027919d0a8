"""The catalog: every fact has a source or a reason, and a name resolves to one thing or to a clear error."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from pathlib import Path
from textwrap import dedent

import pytest
from hypothesis import given
from hypothesis import strategies as st

import evalkit
from evalkit.errors import ConfigError, UnknownModel
from evalkit.models import catalog
from evalkit.models.catalogfile import load

ENTRIES = catalog.all_entries()


def test_every_fact_has_a_source_or_a_reason() -> None:
    for entry in ENTRIES:
        for name, fact in entry.facts.items():
            where = f"{entry.alias}: {name}"
            if fact.value is None:
                assert fact.reason, where
                assert fact.source is None, where
            else:
                assert fact.reason is None, where
                assert fact.source is not None, where
                assert fact.source.startswith("https://") or fact.source == "docs/nano.md", where


def test_models_that_users_ask_for_are_there() -> None:
    for alias in (
        "gpt2", "gpt2-medium", "gpt2-large", "gpt2-xl", "gpt-neo-2.7b", "mistral-7b",
        "mistral-7b-instruct-v0.1", "mistral-7b-instruct-v0.2", "mistral-7b-instruct-v0.3",
        "llama-7b", "llama-2-7b", "llama-2-7b-chat", "llama-3-8b", "llama-3-8b-instruct",
        "falcon-7b", "falcon-40b", "stablelm-7b", "open-llama-7b",
        "alpaca", "vicuna", "koalpaca", "openassistant", "baize", "nano",
    ):  # fmt: skip
        assert catalog.get(alias) is not None, alias


@pytest.mark.parametrize(
    ("alias", "field", "value"),
    [
        ("gpt2", "context", 1024),
        ("gpt2-xl", "context", 1024),
        ("gpt-neo-2.7b", "context", 2048),
        ("mistral-7b-instruct", "kind", "instruct"),
        ("mistral-7b", "license", "apache-2.0"),
        ("llama-7b", "commercial", False),
        ("llama-2-7b", "commercial", "conditions"),
        ("llama-3-8b", "commercial", "conditions"),
        ("falcon-40b", "commercial", True),
        ("open-llama-7b", "license", "apache-2.0"),
        ("alpaca", "commercial", False),
        ("vicuna-7b-v1.3", "commercial", False),
        ("vicuna-7b-v1.5", "commercial", "conditions"),
        ("solar-10.7b", "commercial", True),
        ("solar-10.7b-instruct", "commercial", False),
        ("stablelm-base-alpha-7b", "license", "cc-by-sa-4.0"),
        ("stablelm-tuned-alpha-7b", "commercial", False),
        ("llama-2-7b-chat", "kind", "chat"),
    ],
)
def test_facts_that_are_often_told_wrong(alias: str, field: str, value: object) -> None:
    entry = catalog.get(alias)
    assert entry is not None
    assert entry.facts[field].value == value


def test_mistral_7b_instruct_is_its_third_version() -> None:
    found = catalog.resolve("mistral-7b-instruct")
    assert found.source == "mistralai/Mistral-7B-Instruct-v0.3"
    assert (found.alias, found.kind) == ("mistral-7b-instruct", "instruct")


def test_an_alias_a_second_name_and_a_hub_id_are_the_same_entry() -> None:
    for entry in ENTRIES:
        for name in (entry.alias, *entry.also, *([entry.id] if entry.id else [])):
            assert catalog.get(name) is entry
            assert catalog.get(name.upper()) is entry
            assert catalog.resolve(name).entry is entry


def test_nano_is_a_folder_in_the_package() -> None:
    found = catalog.resolve("nano")
    assert Path(found.source) == catalog.nano_path()
    assert catalog.nano_path().is_relative_to(Path(evalkit.__file__).parent)
    assert (catalog.nano_path() / "config.json").is_file()


def test_a_folder_is_found_by_its_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "my-finetune").mkdir()
    monkeypatch.chdir(tmp_path)
    for typed in ("./my-finetune", "my-finetune", "my-finetune/", str(tmp_path / "my-finetune")):
        found = catalog.resolve(typed)
        assert Path(found.source).resolve() == tmp_path / "my-finetune"
        assert found.entry is None


def test_a_folder_wins_over_a_hub_id(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "openai-community" / "gpt2").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    assert catalog.resolve("openai-community/gpt2").entry is None
    assert catalog.resolve("gpt2").source == "openai-community/gpt2"


def test_an_unknown_hub_id_is_passed_on() -> None:
    found = catalog.resolve("someone/their-model-chat")
    assert (found.source, found.entry, found.kind) == ("someone/their-model-chat", None, None)


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("mistral-7b-instrct", "mistral-7b-instruct"),
        ("llama3-8b", "llama-3-8b"),
        ("Nano2", "nano"),
        ("no-such-thing-at-all", "evalkit models"),
        ("", "evalkit models"),
    ],
)
def test_an_unknown_name_names_the_nearest(typed: str, said: str) -> None:
    with pytest.raises(UnknownModel) as raised:
        catalog.resolve(typed)
    assert said in str(raised.value)
    assert raised.value.exit_code == 2


def test_a_missing_folder_names_the_nearest_beside_it(tmp_path: Path) -> None:
    (tmp_path / "my-finetune").mkdir()
    with pytest.raises(UnknownModel, match="did you mean my-finetune"):
        catalog.resolve(str(tmp_path / "my-finetun"))
    with pytest.raises(UnknownModel, match="does not exist either"):
        catalog.resolve(str(tmp_path / "none" / "such"))


def test_a_file_is_no_model(tmp_path: Path) -> None:
    (tmp_path / "model.safetensors").touch()
    with pytest.raises(UnknownModel, match="its folder"):
        catalog.resolve(str(tmp_path / "model.safetensors"))


@given(st.text(max_size=60))
def test_any_name_is_found_or_refused(typed: str) -> None:
    with contextlib.suppress(UnknownModel):
        assert catalog.resolve(typed).source


@pytest.mark.parametrize(
    ("name", "value", "source"),
    [
        ("someone/thing-7b-Instruct", "instruct", "name"),
        ("someone/gemma-x-it", "instruct", "name"),
        ("someone/thing_chat", "chat", "name"),
        ("./my-finetune", None, None),
        ("someone/item-7b", None, None),
        ("llama-2-7b", "base", "https://github.com/meta-llama/llama/blob/main/MODEL_CARD.md"),
    ],
)
def test_the_kind_of_an_unknown_model_is_a_hint(name: str, value: str | None, source: str | None) -> None:
    fact = catalog.kind(name)
    assert (fact.value, fact.source) == (value, source)
    assert (fact.reason is None) == (value is not None)


GOOD = """
    sources: {card: "https://example.org/card"}
    models:
      - alias: a
        id: org/a
        kind: [base, card]
        parameters: [7, card]
        context: [2048, card, a note]
        architecture: {reason: not read}
        license: [mit, card]
        commercial: [true, card]
"""


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "catalog.yaml"
    path.write_text(dedent(text), "utf-8")
    return path


def test_a_catalog_file_is_read(tmp_path: Path) -> None:
    (entry,) = load(written(tmp_path, GOOD))
    assert entry.context == catalog.Fact(2048, "https://example.org/card", note="a note")
    assert entry.architecture.reason == "not read"


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("[mit, card]", "mit", "license"),
        ("[mit, card]", "[mit]", "license"),
        ("[mit, card]", "[mit, crad]", "did you mean card"),
        ("[mit, card]", "{reason: }", "license"),
        ("[base, card]", "[bass, card]", "kind"),
        ("[7, card]", "[seven, card]", "parameters"),
        ("[7, card]", "[-7, card]", "parameters"),
        ("[true, card]", "[perhaps, card]", "commercial"),
        ("license:", "licence:", "did you mean license"),
        ("        kind: [base, card]\n", "", "`kind` is missing"),
        ("- alias: a", "- name: a", "without an alias"),
        ("sources:", "source:", "at the top"),
        ("models:", "models: [", "YAML"),
    ],
)
def test_a_broken_catalog_file_names_the_place(tmp_path: Path, old: str, new: str, said: str) -> None:
    assert old in GOOD
    with pytest.raises(ConfigError, match=said):
        load(written(tmp_path, GOOD.replace(old, new)))


def test_two_models_cannot_share_a_name(tmp_path: Path) -> None:
    entry = GOOD[GOOD.index("      - alias") :]
    with pytest.raises(ConfigError, match="taken by a"):
        load(written(tmp_path, GOOD + entry.replace("alias: a", "alias: b")))


def test_the_catalog_is_light() -> None:
    heavy = ("torch", "transformers", "datasets", "lm_eval", "vllm", "numpy", "pandas")
    code = (
        f"import sys, evalkit.models.catalog as c; c.all_entries(); print([m for m in {heavy!r} if m in sys.modules])"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"
