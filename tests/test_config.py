"""What a run is asked, as flags and files give it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalkit.config import RunConfig, read_file
from evalkit.errors import ConfigError, UsageError
from evalkit.parsing import Seeds, parse_limit, parse_pairs


def build(**flags: Any) -> RunConfig:
    return RunConfig.build(**{"model": "nano", "tasks": "mini", **flags})


def test_lists_come_with_commas_or_as_several_flags() -> None:
    config = build(model=("a,b", "c"), tasks=("mmlu, gsm8k", "bbh", "mmlu"))
    assert config.model == ("a", "b", "c")
    assert config.tasks == ("mmlu", "gsm8k", "bbh")


def test_the_way_lm_eval_names_a_model_means_the_same() -> None:
    config = build(model="hf", model_args="pretrained=org/name,dtype=float32")
    assert (config.model, config.engine, config.model_args) == (("org/name",), "hf", {"dtype": "float32"})
    assert build(model="vllm", model_args="pretrained=x").engine == "vllm"


def test_a_model_called_hf_without_a_checkpoint_is_explained() -> None:
    with pytest.raises(UsageError, match="pretrained="):
        build(model="hf")
    with pytest.raises(UsageError, match="contradict"):
        build(model="hf", model_args="pretrained=x", engine="vllm")


def test_pairs_read_values_as_lm_eval_does() -> None:
    assert parse_pairs("a=1,b=1.5,c=true,d=None,e='7',f=x=y,g=1e-3", "--model-args") == {
        "a": 1,
        "b": 1.5,
        "c": True,
        "d": None,
        "e": "7",
        "f": "x=y",
        "g": 1e-3,
    }
    with pytest.raises(UsageError, match="'dtype'"):
        parse_pairs("dtype", "--model-args")


@given(st.dictionaries(st.from_regex(r"[a-z_]{1,9}", fullmatch=True), st.integers() | st.booleans(), max_size=5))
def test_pairs_survive_the_way_through_text(pairs: dict[str, Any]) -> None:
    assert parse_pairs(",".join(f"{k}={v}" for k, v in pairs.items()), "--gen-kwargs") == pairs


def test_a_chat_template_implies_turns_unless_turned_off() -> None:
    assert build(apply_chat_template="true").fewshot_as_multiturn
    assert not build(apply_chat_template="true", fewshot_as_multiturn="false").fewshot_as_multiturn
    assert not build().fewshot_as_multiturn
    assert build(apply_chat_template="tool_use").apply_chat_template == "tool_use"
    with pytest.raises(UsageError, match="--apply-chat-template"):
        build(fewshot_as_multiturn="true")


def test_seeds_are_one_or_lm_evals_four() -> None:
    assert build().seed == Seeds(0, 1234, 1234, 1234)
    assert build(seed="7").seed == Seeds(7, 7, 7, 7)
    assert build(seed="1,2,3,4").seed == Seeds(1, 2, 3, 4)
    for wrong in ("x", "1,2", "-1"):
        with pytest.raises(UsageError, match="--seed"):
            build(seed=wrong)


@given(st.text(max_size=8) | st.floats())
def test_a_limit_is_above_zero_or_refused(asked: Any) -> None:
    try:
        limit = parse_limit(asked)
    except UsageError:
        return
    assert limit is not None
    assert 0 < limit < float("inf")


def test_adapters_take_their_name_or_their_folders() -> None:
    config = build(adapter=("ko=./out/a", "./out/b"))
    assert config.adapter == (("ko", "./out/a"), ("b", "./out/b"))
    with pytest.raises(UsageError, match="two adapters"):
        build(adapter=("./x/a", "./y/a"))


def test_an_unknown_key_in_a_file_names_the_nearest(tmp_path: Path) -> None:
    file = tmp_path / "run.yaml"
    file.write_text("num-fewshott: 5\n")
    with pytest.raises(ConfigError, match="num_fewshot"):
        read_file(file, ["num_fewshot", "tasks"])


@pytest.mark.parametrize("text", ["- a\n- b\n", "a: [1\n", "just words"])
def test_a_broken_file_is_one_line(tmp_path: Path, text: str) -> None:
    file = tmp_path / "run.yaml"
    file.write_text(text)
    with pytest.raises(ConfigError) as caught:
        read_file(file, ["tasks"])
    assert "\n" not in str(caught.value)


def test_missing_and_unknown_things_say_what_to_type() -> None:
    with pytest.raises(UsageError, match="evalkit models"):
        RunConfig.build(tasks="mini")
    with pytest.raises(UsageError, match="evalkit tasks list"):
        RunConfig.build(model="nano")
    with pytest.raises(UsageError, match="did you mean vllm"):
        build(engine="vlm")


@pytest.mark.parametrize(("asked", "kept"), [("auto", "auto"), ("auto:4", "auto:4"), (8, "8"), (" 16 ", "16")])
def test_a_batch_size_is_auto_or_a_number(asked: Any, kept: str) -> None:
    assert build(batch_size=asked).batch_size == kept


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        ({"batch_size": "foo"}, "--batch-size foo"),
        ({"batch_size": 0}, "--batch-size 0"),
        ({"batch_size": "-2"}, "--batch-size -2"),
        ({"sandbox": "landlok"}, "did you mean landlock"),
    ],
)
def test_what_no_run_can_use_is_refused_before_anything_is_loaded(flags: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        build(**flags)


def test_the_sandboxs_tiers_are_known_without_it() -> None:
    from evalkit.config import TIERS
    from evalkit.sandbox.sandbox import TIERS as OFFERED

    assert TIERS == OFFERED
