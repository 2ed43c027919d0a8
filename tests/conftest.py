"""What the rooms' tests share: a tiny model, its adapters, and the benchmark mirror."""

from __future__ import annotations

import gc
import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tests.helpers.checkpoints import make_adapter, make_checkpoint

ROOT = Path(__file__).resolve().parent.parent
# The longest first where files run side by side, so that none is left alone at the end.
LONG = (
    "runner/test_kills_vllm.py",
    "engines/vllm/test_worker.py",
    "registry/test_parity.py",
    "engines/ray/test_vllm_ends.py",
    "engines/ray/test_ends.py",
    "engines/ray/test_vllm_rows.py",
    "engines/openai/test_openai_served.py",
    "engines/ray/test_rows.py",
    "registry/test_untrusted.py",
    "training/test_callback.py",
    "sandbox/test_confine.py",
    "engines/ray/test_network.py",
    "checks/test_checks.py",
    "training/test_trainer.py",
    "engines/openai/test_thinking_served.py",
    "registry/test_lmeval.py",
    "packaging/test_distributions.py",
    "reporting/test_report_documents.py",
    "registry/test_taskindex.py",
    "registry/test_contributions.py",
    "registry/test_mini.py",
    "gating/test_error_rates.py",
    "plugin/test_plugin.py",
    "reporting/test_verbs_tables.py",
    "judging/test_waiting.py",
    "test_demo.py",
    "engines/vllm/test_adapters.py",
    "judging/test_judging_runs.py",
    "runner/test_early_gate.py",
    "sandbox/test_mutants.py",
    "engines/vllm/test_engine.py",
    "engines/ray/test_fleet.py",
    "sandbox/test_pool.py",
    "checks/test_ifeval_original.py",
    "engines/openai/test_openai.py",
    "stats/test_sequential.py",
    "test_pytest_plugin.py",
    "sandbox/test_clock.py",
    "stats/test_bounded.py",
    "results/test_replay.py",
    "results/test_inspectai_untrusted.py",
    "stats/test_bradley_terry.py",
    "docs/test_site.py",
    "api/test_documents.py",
    "test_planning.py",
    "runner/test_early_gate_nano.py",
    "gating/test_early.py",
    "exporting/test_hub.py",
    "runner/test_kills.py",
    "results/test_inspectai.py",
    "exporting/test_exported.py",
    "judging/test_judging_ways.py",
    "engines/huggingface/test_score.py",
    "reporting/test_report_html.py",
    "test_house.py",
    "registry/test_registry.py",
    "runner/test_resume.py",
    "synth/test_new.py",
    "stats/test_paired.py",
    "cli/test_cli.py",
    "runner/test_shards.py",
    "engines/openai/test_hostile_server.py",
    "api/test_loaded.py",
    "registry/test_instruct.py",
    "registry/test_alpaca.py",
    "synth/test_membership.py",
    "registry/test_instruct_judged.py",
    "registry/test_questions_cli.py",
    "training/test_budget.py",
)

# How long a machine takes to draw examples says nothing of what is tested.
settings.register_profile("evalkit", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("evalkit")

# The tests bring every model with them: a test that reaches for the hub is a mistake, not a download.
os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("HF_DATASETS_OFFLINE", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
# Several tests run at once: a second thread of torch or numpy would only wait actively for the first one.
os.environ.setdefault("OMP_NUM_THREADS", "1")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """The number of workers for `-n auto`: one more than processors, as many tests wait for servers and processes."""
    return (os.cpu_count() or 1) + 1


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    places = {name: place for place, name in enumerate(LONG)}
    here = Path(__file__).parent
    items.sort(key=lambda item: places.get(item.path.relative_to(here).as_posix(), len(LONG)))


def pytest_collection_finish() -> None:
    """Leave all modules out of every later garbage collection: libraries that collect in a loop would walk them all."""
    gc.collect()
    gc.freeze()


def pytest_unconfigure() -> None:
    """At the end modules are collected as usual: some libraries report what is left as leaks."""
    gc.unfreeze()


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
