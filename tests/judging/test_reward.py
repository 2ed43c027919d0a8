"""A reward model as a judge: a tiny one made here, end to end."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import evalkit as ek
from evalkit.errors import CheckpointError, UsageError
from evalkit.journal import Journal
from evalkit.judging.backends.spec import JudgeOptions, open_judge, parse_judge
from evalkit.judging.items import items_of
from evalkit.judging.rubric import find_rubric
from tests.helpers.judged import make_run

NEW = ("mt-bench", "arena-hard", "reference", "pairwise-reference")


def make_reward_model(folder: Path, labels: int = 1) -> Path:
    import torch
    import transformers
    from tokenizers import Tokenizer, models, pre_tokenizers

    words = [
        "[PAD]",
        "[UNK]",
        "[CLS]",
        "[SEP]",
        "Answer",
        "Do",
        "to",
        "item",
        "good",
        "bad",
        ".",
        "-",
        *map(str, range(10)),
    ]
    inner = Tokenizer(models.WordLevel({word: place for place, word in enumerate(words)}, unk_token="[UNK]"))
    inner.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer = transformers.PreTrainedTokenizerFast(
        tokenizer_object=inner, pad_token="[PAD]", unk_token="[UNK]", cls_token="[CLS]", sep_token="[SEP]"
    )
    tokenizer.save_pretrained(folder)
    torch.manual_seed(1)
    config = transformers.BertConfig(
        vocab_size=len(words),
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=16,
        max_position_embeddings=64,
        num_labels=labels,
        pad_token_id=0,
        type_vocab_size=2,
    )
    model = transformers.BertForSequenceClassification(config)
    model.save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def reward(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("transformers")
    return make_reward_model(tmp_path_factory.mktemp("reward"))


def test_rewards_are_figures_and_pairs_go_by_their_difference(tmp_path: Path, reward: Path) -> None:
    first = make_run(tmp_path, 12, "r1")
    second = make_run(tmp_path, 12, "r2", wording="Answer to item-{} good.")
    judge = f"reward:{reward}"
    single = ek.judge(str(first.path), judge=judge, rubric="reward", output_path=tmp_path)
    assert single.coverage == 1.0
    scores = [row["score"] for row in json_rows(first.path, "reward")]
    assert len(set(scores)) > 1

    again = ek.judge(str(first.path), judge=judge, rubric="reward", output_path=tmp_path)
    assert again.result.asked == 0

    others = ek.judge(str(second.path), judge=judge, rubric="reward", output_path=tmp_path)
    assert others.coverage == 1.0
    pairs = ek.judge(str(second.path), judge=judge, rubric="pairwise", against=str(first.path), output_path=tmp_path)
    theirs = [row["score"] for row in json_rows(second.path, "reward")]
    import math

    for row, ours, other in zip(json_rows(second.path, "pairwise"), theirs, scores, strict=True):
        assert row["preference"] == pytest.approx(1 / (1 + math.exp(other - ours)), abs=1e-5)
    assert pairs.coverage == 1.0


def json_rows(run: Path, rubric: str) -> list[dict[str, float]]:
    (file,) = [path for path in (run / "judgments").iterdir() if path.name.startswith(f"{rubric}@")]
    return [json.loads(line) for line in file.read_text().splitlines()]


def test_what_is_no_reward_model_is_refused(tmp_path: Path, reward: Path) -> None:
    two = make_reward_model(tmp_path / "two", labels=2)
    with Journal.open(tmp_path / "results") as journal:
        with (
            pytest.raises(UsageError, match="2 outputs"),
            open_judge(parse_judge(f"reward:{two}"), journal, JudgeOptions()),
        ):
            pass
        config = json.loads((reward / "config.json").read_text()) | {"architectures": ["BertForMaskedLM"]}
        other = tmp_path / "other"
        other.mkdir()
        for file in reward.iterdir():
            (other / file.name).write_bytes(file.read_bytes())
        (other / "config.json").write_text(json.dumps(config))
        with (
            pytest.raises(UsageError, match="gives no score"),
            open_judge(parse_judge(f"reward:{other}"), journal, JudgeOptions()),
        ):
            pass
        with (
            pytest.raises(CheckpointError, match="weight files"),
            open_judge(parse_judge(f"reward:{tmp_path / 'results'}"), journal, JudgeOptions()),
        ):
            pass


@pytest.mark.parametrize("name", NEW)
def test_new_rubrics_stand_in_both_languages_and_ask_the_same(name: str) -> None:
    english, korean = find_rubric(name), find_rubric(f"{name}-ko")
    assert (english.kind, english.form) == (korean.kind, korean.form)
    assert dict(english.inputs) == dict(korean.inputs)
    for here, there in zip(english.dimensions, korean.dimensions, strict=True):
        assert (here.name, dict(here.scale.labels)) == (there.name, dict(there.scale.labels))
        assert any("가" <= character <= "힣" for character in there.criteria)


def test_arena_hard_s_five_verdicts_are_read() -> None:
    from evalkit.judging.replies import read_reply

    scale = find_rubric("arena-hard").dimensions[0].scale
    for label, value in {"AA": 1.0, "A": 0.75, "C": 0.5, "B": 0.25, "BB": 0.0}.items():
        assert read_reply(f"Both are fine.\n\nScore: {label}", scale, "preference").value == value


def test_mt_bench_is_two_turns_whose_last_answer_is_judged_with_what_was_said_before(tmp_path: Path, hub: Path) -> None:
    run = ek.evaluate(
        "nano", tasks="mt_bench", data_dir=hub, limit=3, output_path=tmp_path, name="r", gen_kwargs="max_gen_toks=4"
    )
    rows = run.stored.rows("mt_bench")
    items = items_of(run.stored, find_rubric("mt-bench"))
    assert len(items) == 3
    for item, row in zip(items, rows, strict=True):
        turns = row["conversation"]
        assert [turn["role"] for turn in turns][:3] == ["user", "assistant", "user"]
        assert turns[0]["content"] in item.inputs["conversation"]
        assert turns[2]["content"] in item.inputs["conversation"]
        assert item.answer == row["resps"][-1][0]
