"""gate.yaml: what it means, and that whatever is wrong with it is said in one line."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evalkit.errors import ConfigError
from evalkit.policy import Drop, Policy, TaskPolicy

ROOT = Path(__file__).resolve().parents[1]


def load(tmp_path: Path, text: str) -> Policy:
    path = tmp_path / "gate.yaml"
    path.write_text(text, encoding="utf-8")
    return Policy.load(path)


def test_a_whole_policy(tmp_path: Path) -> None:
    policy = load(
        tmp_path,
        """
        confidence: 0.99
        tasks:
          gsm8k: {metric: "exact_match,strict-match", max_drop: 0.02, max_rise: 0.05, tier: supporting}
          mmlu: {max_drop: "2%"}
          humaneval:
        """,
    )
    assert policy.confidence == 0.99
    assert policy.tasks["gsm8k"] == TaskPolicy("exact_match,strict-match", Drop(0.02), 0.05, "supporting")
    assert policy.tasks["mmlu"].max_drop == Drop(0.02, relative=True)
    assert policy.tasks["mmlu"].tier == "critical"
    assert policy.tasks["humaneval"] == TaskPolicy()


@pytest.mark.parametrize("text", ["", "# nothing yet\n", "---\n", "null\n"])
def test_an_empty_file_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(ConfigError, match="is empty; write"):
        load(tmp_path, text)


def test_a_policy_without_tasks_judges_every_shared_task(tmp_path: Path) -> None:
    policy = load(tmp_path, "confidence: 0.9\n")
    assert policy.tasks == {}
    assert policy.confidence == 0.9
    assert TaskPolicy().max_drop == Drop(0.01)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("confidnce: 0.9", "did you mean confidence"),
        ("tasks: {gsm8k: {max_drp: 0.01}}", "did you mean max_drop"),
        ("tasks: {gsm8k: {tier: critcal}}", "did you mean critical"),
        ("tasks: {gsm8k: {zzz: 1}}", "known are metric, max_drop, max_rise, tier, task"),
        ("tasks: {gsm8k: {max_drop: '2'}}", '"2%"'),
        ("tasks: {gsm8k: {max_drop: -0.01}}", "max_drop is -0.01"),
        ("tasks: {gsm8k: {max_drop: '120%'}}", "below 100%"),
        ("tasks: {gsm8k: {max_drop: 'abc%'}}", "abc%"),
        ("tasks: {gsm8k: {max_drop: true}}", "max_drop is True"),
        ("tasks: {gsm8k: {max_drop: .nan}}", "max_drop is nan"),
        ("tasks: {gsm8k: {max_drop: .inf}}", "max_drop is inf"),
        ("tasks: {gsm8k: {max_rise: 1.5}}", "share of the documents"),
        (f"tasks: {{gsm8k: {{max_drop: 1{'0' * 390}}}}}", "max_drop is 1000"),
        (f"tasks: {{gsm8k: {{max_drop: 0x{'f' * 390}}}}}", "a number such as 0.01"),
        ("tasks: {gsm8k: {metric: 3}}", "metric is a number"),
        ("tasks: {gsm8k: 0.01}", "it takes the keys"),
        ("tasks: [gsm8k]", "`tasks` is a list"),
        ("confidence: 95", "between 0.5 and 1"),
        ("confidence: '0.95'", "between 0.5 and 1"),
        ("tasks: {a: {}, a: {}}", "a stands twice"),
        ("- gsm8k", "is a list"),
        ("tasks: {", "is not YAML"),
        ("tasks: {a: {max_drop: 2026-99-99}}", "is not YAML"),
        ("? [a, b]\n: 1", "a key can't be"),
        ("x: !!python/object/apply:os.system ['true']", "is not YAML"),
    ],
)
def test_a_wrong_policy_is_one_line_and_exit_2(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(ConfigError) as raised:
        load(tmp_path, text)
    assert said in str(raised.value)
    assert "\n" not in str(raised.value)
    assert raised.value.exit_code == 2


@pytest.mark.parametrize("digits", [400, 5000])
@pytest.mark.parametrize("key", ["max_drop", "max_rise", "tier", "metric", "clean_only", "zzz"])
def test_a_number_that_no_float_holds_is_one_short_line(key: str, digits: int) -> None:
    number = 10**digits
    for content in ({"tasks": {"gsm8k": {key: number}}}, {"confidence": -number}, {number: 1}):
        with pytest.raises(ConfigError) as raised:
            Policy.parse(content)
        assert len(str(raised.value)) < 300


def test_a_policy_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no such file"):
        Policy.load(tmp_path / "none.yaml")
    (tmp_path / "bytes.yaml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError):
        Policy.load(tmp_path / "bytes.yaml")
    with pytest.raises(ConfigError, match="can't be read"):
        Policy.load(tmp_path)


@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.text(max_size=8) | st.integers(),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(st.sampled_from(["tasks", "confidence", "gsm8k", "max_drop", "tier", "metric"]), inner)
        ),
        max_leaves=8,
    )
)
@settings(max_examples=200, deadline=None)
def test_anything_is_a_policy_or_a_config_error(content: object) -> None:
    try:
        policy = Policy.parse(content)
    except ConfigError:
        return
    assert 0.5 < policy.confidence < 1
    assert all(
        task.max_drop.value >= 0 and task.tier in ("critical", "supporting", "advisory")
        for task in policy.tasks.values()
    )


def test_the_documented_policy_is_a_policy() -> None:
    policy = Policy.load(ROOT / "docs" / "gate.yaml")
    assert set(policy.tasks) == {"mmlu", "hellaswag", "gsm8k", "bbh", "humaneval"}
