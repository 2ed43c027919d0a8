"""Texts in pieces, over tokenizers of every common build."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evalkit.tokens import Tokenizer
from evalkit.tokens.pieces import Pieces
from evalkit.types import (
    GenerateRequest,
    Request,
)
from tests.helpers.checkpoints import corpus
from tests.helpers.tokenizing import SCRAPS


def fast(backend: Any, **special: str) -> Any:
    from transformers import PreTrainedTokenizerFast

    return PreTrainedTokenizerFast(tokenizer_object=backend, **special)


def builds() -> dict[str, Any]:
    """GPT-2's build, Llama 3's split, Llama 2's normaliser, Metaspace, Unigram, WordPiece, and some with oddities."""
    from tokenizers import (
        AddedToken,
        Regex,
        models,
        normalizers,
        pre_tokenizers,
        processors,
        trainers,
    )
    from tokenizers import Tokenizer as Backend

    texts = [*corpus(400, 0), "def f(x):\n    return x  # 123456 (A) 서울은 어디\n"] * 3
    made: dict[str, Any] = {}

    def train(name: str, model: Any, trainer: Any, **parts: Any) -> Any:
        backend = Backend(model)
        for part, value in parts.items():
            setattr(backend, part, value)
        backend.train_from_iterator(texts, trainer)
        made[name] = backend
        return backend

    alphabet = pre_tokenizers.ByteLevel.alphabet()

    def bpe() -> Any:
        return trainers.BpeTrainer(vocab_size=700, special_tokens=["<s>", "</s>"], initial_alphabet=alphabet)

    train("byte level", models.BPE(), bpe(), pre_tokenizer=pre_tokenizers.ByteLevel(add_prefix_space=False))
    train("byte level with a blank first", models.BPE(), bpe(), pre_tokenizer=pre_tokenizers.ByteLevel())
    split = Regex(
        r"(?i:'s|'t|'re)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
    )
    llama3 = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(split, "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    train(
        "a split by expression", models.BPE(), bpe(), pre_tokenizer=llama3
    ).post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 0)])
    merging = trainers.BpeTrainer(vocab_size=700, special_tokens=["<unk>", "<s>"])
    prepend = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    # Llama 2's vocabulary was learnt word by word, and is used on whole texts.
    words = pre_tokenizers.Metaspace(prepend_scheme="always")
    llama2 = train("a blank put first", models.BPE(unk_token="<unk>"), merging, pre_tokenizer=words)
    llama2.pre_tokenizer, llama2.normalizer = None, prepend
    train("words run together", models.BPE(unk_token="<unk>"), merging, normalizer=prepend)
    for scheme in ("first", "always", "never"):
        metaspace = pre_tokenizers.Metaspace(prepend_scheme=scheme)
        train(f"metaspace {scheme}", models.BPE(unk_token="<unk>"), merging, pre_tokenizer=metaspace)
    unigram = trainers.UnigramTrainer(vocab_size=400, special_tokens=["<unk>"], unk_token="<unk>")
    train("unigram", models.Unigram(), unigram, pre_tokenizer=pre_tokenizers.Metaspace())
    suffix = train("text ends with a token", models.BPE(), bpe(), pre_tokenizer=pre_tokenizers.ByteLevel())
    suffix.post_processor = processors.TemplateProcessing(single="$A </s>", special_tokens=[("</s>", 1)])
    pieces = trainers.WordPieceTrainer(vocab_size=500, special_tokens=["[UNK]"])
    train(
        "word pieces",
        models.WordPiece(unk_token="[UNK]"),
        pieces,
        pre_tokenizer=pre_tokenizers.BertPreTokenizer(),
        normalizer=normalizers.BertNormalizer(),
    )
    greedy = train("a token that eats blanks", models.BPE(), bpe(), pre_tokenizer=pre_tokenizers.ByteLevel())
    greedy.add_tokens([AddedToken("here", rstrip=True), AddedToken("we are")])
    runs = train(
        "tokens of blanks", models.BPE(), bpe(), pre_tokenizer=pre_tokenizers.ByteLevel(add_prefix_space=False)
    )
    runs.add_tokens([AddedToken(" " * n, normalized=False) for n in range(2, 8)])
    return {name: fast(backend, bos_token="<s>") for name, backend in made.items()}


@pytest.fixture(scope="module")
def built() -> dict[str, Any]:
    return builds()


@settings(max_examples=60, deadline=None)
@given(
    texts=st.lists(
        st.lists(
            st.sampled_from((*SCRAPS, *SCRAPS, "here ", "we are ", "  ", "a longer run of plain words, ")), max_size=80
        ).map("".join),
        min_size=1,
        max_size=4,
    )
)
def test_pieces_give_the_whole_texts_tokens_with_every_build(texts: list[str], built: dict[str, Any]) -> None:
    asked = [Request("generate", "x" + one) for one in texts] + [
        Request("score", f"{one}:", " and so on") for one in texts if one.strip()
    ]
    for name, hf in built.items():
        tokenizer = Tokenizer(hf, max_length=10**6)
        tokenizer.encode([Request("generate", "a longer run of plain words, " * 40)])
        for request, encoded in zip(asked, tokenizer.encode(asked), strict=True):
            (made,) = encoded.requests
            if isinstance(made, GenerateRequest):
                assert made.prompt.tolist() == hf(str(request.context))["input_ids"], name
            else:
                bare = {"add_special_tokens": False} if str(request.context).startswith("<s>") else {}
                left = hf(str(request.context), **bare)["input_ids"]
                whole = hf(f"{request.context}{request.continuation}", **bare)["input_ids"]
                assert (made.context.tolist(), made.continuation.tolist()) == (left, whole[len(left) :]), name


@pytest.mark.parametrize("end", [" ", " <s>", " <s> is", "<s> is", " </s> <s> and", " <s>  <s>"])
def test_blanks_are_kept_wherever_a_piece_would_begin(end: str, built: dict[str, Any]) -> None:
    """At the end of a text, and before and behind an added token, where some tokenizers add a blank and others none."""
    texts = [f"{'ab ' * 40}{'x' * count}{end}" for count in range(1, 20)]
    tried = 0
    for name, hf in built.items():
        pieces = Pieces.over(hf, ["some words " * 100])
        if pieces is not None:
            tried += 1
            whole = [hf(text, add_special_tokens=False)["input_ids"] for text in texts]
            assert [list(ids) for ids in pieces.encode(texts)] == whole, name
    assert tried > 5


def test_pieces_are_used_where_they_hold_and_only_there(built: dict[str, Any]) -> None:
    used = {name: Pieces.over(hf, ["some words " * 100]) is not None for name, hf in built.items()}
    assert used["byte level"]
    assert used["a split by expression"]
    assert used["a blank put first"]
    assert not used["a token that eats blanks"]
    assert not used["words run together"]
