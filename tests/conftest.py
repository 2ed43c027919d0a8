"""What the rooms' tests share: a tiny model, its adapters, and the benchmark mirror."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tests.helpers.checkpoints import make_adapter, make_checkpoint

ROOT = Path(__file__).resolve().parent.parent
# Minutes each. Begun first where files run side by side, so that none is left alone at the end.
LONG = (
    "test_resume.py",
    "test_engine.py",
    "test_worker.py",
    "test_judging_runs.py",
    "test_parity.py",
    "test_instruct_judged.py",
    "test_instruct.py",
    "test_mutants.py",
    "test_confine.py",
    "test_early_gate.py",
    "test_demo.py",
    "test_questions_cli.py",
    "test_clock.py",
)

# How long a machine takes to draw examples says nothing of what is tested.
settings.register_profile("evalkit", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("evalkit")

# The tests bring every model with them: a test that reaches for the hub is a mistake, not a download.
os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("HF_DATASETS_OFFLINE", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    places = {name: place for place, name in enumerate(LONG)}
    items.sort(key=lambda item: places.get(item.path.name, len(LONG)))


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A 0.2M-parameter Llama checkpoint without a chat template."""
    return make_checkpoint(tmp_path_factory.mktemp("checkpoints") / "tiny")


@pytest.fixture(scope="session")
def tiny_chat_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same shape with a chat template, other weights, and a tokenizer that adds `<s>`."""
    return make_checkpoint(
        tmp_path_factory.mktemp("checkpoints") / "tiny-chat", seed=7, chat_template=True, add_bos=True
    )


@pytest.fixture(scope="session")
def tiny_adapters(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Two LoRA adapters over `tiny_model`, unlike each other and unlike the base."""
    folder = tmp_path_factory.mktemp("adapters")
    return (
        make_adapter(tiny_model, folder / "first", seed=1),
        make_adapter(tiny_model, folder / "second", seed=2),
    )


@pytest.fixture(scope="session")
def hub() -> Path:
    """The benchmark mirror: EVALKIT_DATA_DIR, else ../shared/hub beside the checkout, else skip."""
    asked = os.environ.get("EVALKIT_DATA_DIR")
    folder = Path(asked) if asked else ROOT.parent / "shared" / "hub"
    if not folder.is_dir():
        pytest.skip(f"no benchmark mirror: {folder} is not a folder; set EVALKIT_DATA_DIR to one")
    return folder
