"""From text to tokens. lm-eval's transformers model is the oracle; tokenizers of every common build are made here."""

from __future__ import annotations

import json
from array import array
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evalkit.engines.vllm.window import vllm_window
from evalkit.errors import CheckpointError, UsageError
from evalkit.tokens import Tokenizer, encode_text, message_prompts, sampling_of
from evalkit.tokens.pieces import Pieces
from evalkit.tokens.windows import room_for
from evalkit.types import (
    Failed,
    Generated,
    GenerateRequest,
    Message,
    ModelSpec,
    Request,
    Scored,
    ScoreRequest,
)
from tests.helpers.checkpoints import CHAT_TEMPLATE, NO_SYSTEM_TEMPLATE, corpus, make_checkpoint

SCRAPS = (
    "Question: what",
    " is",
    "  two",
    "\n",
    "\n\n  ",
    "<s>",
    "</s>",
    "서울은",
    " 어디",
    "x=1;",
    " 123456",
    "\t",
    " ",
    "é",
)
text = st.lists(st.sampled_from(SCRAPS), max_size=10).map("".join)
continuation = st.sampled_from([" A", "B", "  yes, it is", "\n", " 서울", "<s>", "."])


def spec(folder: Path, **args: Any) -> ModelSpec:
    return ModelSpec(typed=str(folder), source=str(folder), args=args)


def score(tokenizer: Tokenizer, context: str, continuation: str, **asked: Any) -> ScoreRequest:
    (encoded,) = tokenizer.encode([Request("score", context, continuation)], **asked)
    (request,) = encoded.requests
    assert isinstance(request, ScoreRequest)
    return request


def generate(tokenizer: Tokenizer, context: str, **kwargs: Any) -> GenerateRequest:
    (encoded,) = tokenizer.encode([Request("generate", context, gen_kwargs=kwargs)])
    (request,) = encoded.requests
    assert isinstance(request, GenerateRequest)
    return request


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("tokens")
    return {
        "plain": make_checkpoint(folder / "plain"),
        "bos": make_checkpoint(folder / "bos", add_bos=True, chat_template=True),
    }


@pytest.fixture(scope="module")
def oracles(models: dict[str, Path]) -> dict[str, Any]:
    from lm_eval.models.huggingface import HFLM

    return {name: HFLM(pretrained=str(path), device="cpu") for name, path in models.items()}


@pytest.fixture(scope="module")
def tokenizers(models: dict[str, Path]) -> dict[str, Tokenizer]:
    return {name: Tokenizer.load(spec(path)) for name, path in models.items()}


# ── splitting ────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("name", ["plain", "bos"])
@settings(max_examples=150, deadline=None)
@given(pairs=st.lists(st.tuples(text, continuation), min_size=1, max_size=8))
def test_pairs_are_split_as_lm_eval_splits_them(
    name: str, pairs: list[tuple[str, str]], tokenizers: dict[str, Tokenizer], oracles: dict[str, Any]
) -> None:
    ours, theirs = tokenizers[name], oracles[name]
    for (context, ending), encoded in zip(pairs, ours.encode([Request("score", *pair) for pair in pairs]), strict=True):
        left, right = _split_as_lm_eval(theirs, context, ending)
        if not left or not right:  # lm-eval stops with an assertion here
            continue
        (request,) = encoded.requests
        assert isinstance(request, ScoreRequest)
        assert (request.context.tolist(), request.continuation.tolist()) == (left, right)
        assert isinstance(request.context, array)


def _split_as_lm_eval(lm: Any, context: str, ending: str) -> tuple[list[int], list[int]]:
    if context:
        left, right = lm._encode_pair(context, ending)
        return left, right
    right = lm.tok_encode(ending, add_special_tokens=False)
    return ([lm.prefix_token_id], right) if right[0] != lm.prefix_token_id else (right[:1], right[1:])


@pytest.mark.parametrize("name", ["plain", "bos"])
def test_facts_equal_lm_evals(name: str, tokenizers: dict[str, Tokenizer], oracles: dict[str, Any]) -> None:
    ours, theirs = tokenizers[name], oracles[name]
    assert ours.max_length == theirs.max_length
    assert (ours.prefix_token_id, ours.eos_token_id) == (theirs.prefix_token_id, theirs.eot_token_id)
    assert ours.eos == theirs.tok_decode(theirs.eot_token_id, skip_special_tokens=False)


def test_a_text_that_begins_with_the_special_token_gets_no_second_one(tokenizers: dict[str, Tokenizer]) -> None:
    plain, marked = (generate(tokenizers["bos"], context).prompt for context in ("Hello there", "<s>Hello there"))
    assert plain == marked


def test_a_context_of_blanks_only_still_has_something_to_go_on(tokenizers: dict[str, Tokenizer]) -> None:
    """lm-eval stops with an assertion where no special token is added."""
    request = score(tokenizers["plain"], "   ", "yes")
    assert request.context.tolist() == [tokenizers["plain"].prefix_token_id]


def test_ids_count_on_and_repeats_are_samples(tokenizers: dict[str, Tokenizer]) -> None:
    asked = [
        Request("score", "a b", " c"),
        Request("generate", "a b", gen_kwargs={"do_sample": True, "temperature": 0.5}, repeats=3),
        Request("rolling", "some text"),
        Request("score", "a b", " d", repeats=2),
    ]
    encoded = tokenizers["plain"].encode(asked, first_id=10)
    assert [[request.id for request in one.requests] for one in encoded] == [[10], [11, 12, 13], [14], [15]]
    assert [request.sample for request in encoded[1].requests if isinstance(request, GenerateRequest)] == [0, 1, 2]
    assert encoded[3].fold([Scored(15, -1.0, True)]) == [Scored(15, -1.0, True)] * 2
    answers = [Generated(i, str(i), "stop", 1) for i in (11, 12, 13)]
    assert encoded[1].fold(answers) == answers


# ── fitting into the window ──────────────────────────────────────────────────


def test_a_cut_takes_the_contexts_left_and_never_a_continuation(models: dict[str, Path]) -> None:
    tokenizer = Tokenizer.load(spec(models["plain"], max_length=12))
    whole = Tokenizer.load(spec(models["plain"]))
    context, ending = "one two three four five six seven eight nine ten " * 3, " eleven twelve"
    full, cut = score(whole, context, ending), score(tokenizer, context, ending)
    assert cut.continuation == full.continuation
    # As lm-eval's (context + continuation)[-(max_length + 1):][:-1]: the last token is never read.
    assert (full.context + full.continuation)[-13:] == cut.context + cut.continuation
    assert cut.cut_tokens == len(full.context) - len(cut.context) > 0
    less = score(tokenizer, context, ending, score_limit=10)
    assert len(less.context) + len(less.continuation) == 10


@pytest.mark.parametrize(
    ("fields", "window"),
    [
        ({"rope_parameters": {"rope_type": "linear", "factor": 4.0}}, 400),
        ({"rope_scaling": {"type": "dynamic", "factor": 2.0}}, 200),
        ({"rope_parameters": {"rope_type": "yarn", "factor": 4.0}}, 100),
        ({"rope_parameters": {"full": {"rope_type": "default"}, "sliding": {"rope_type": "linear", "factor": 2}}}, 200),
        ({"rope_parameters": {"rope_type": "linear", "factor": 8.0}, "model_type": "gemma3_text"}, 100),
        ({"rope_parameters": {"rope_type": "longrope"}, "original_max_position_embeddings": 25}, 25),
        ({"rope_scaling": None}, 100),
    ],
)
def test_the_window_that_vllm_makes_of_scaled_positions(fields: dict[str, Any], window: int) -> None:
    """Read off vLLM 0.32's own configuration."""
    assert vllm_window(SimpleNamespace(**fields), 100) == window


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"max_model_len": "abc"}, "max_model_len=abc: a whole number"),
        ({"max_length": 0}, "max_length=0: a whole number"),
        ({"max_gen_toks": 2.5}, "max_gen_toks=2.5: a whole number"),
        ({"prefix_token_id": -1}, "prefix_token_id=-1: a whole number"),
        ({"tokenizer": "/no/where"}, "tokenizer=/no/where: there is no such folder"),
        ({"add_bos_token": "maybe"}, "add_bos_token=maybe: true or false"),
        ({"truncation_side": "right"}, "truncation_side: prompts that are too long lose their left end"),
    ],
)
def test_model_arguments_that_cannot_be_meant_are_named(models: dict[str, Path], given: Any, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        Tokenizer.load(spec(models["plain"], **given))


def test_a_continuation_longer_than_the_window_is_refused_not_shortened(models: dict[str, Path]) -> None:
    tokenizer = Tokenizer.load(spec(models["plain"], max_length=4))
    (encoded,) = tokenizer.encode([Request("score", "Q:", " a very long continuation that cannot fit", repeats=2)])
    assert encoded.requests == ()
    answers = encoded.fold([])
    assert len(answers) == 2
    assert all(isinstance(answer, Failed) and "the window 4" in answer.reason for answer in answers)


def test_a_prompt_leaves_room_for_what_is_generated_as_in_lm_eval(models: dict[str, Path]) -> None:
    tokenizer = Tokenizer.load(spec(models["plain"], max_length=40))
    prompt = "one two three four five six seven eight nine ten " * 3
    whole = generate(Tokenizer.load(spec(models["plain"])), prompt, max_gen_toks=30).prompt
    cut = generate(tokenizer, prompt, max_gen_toks=30)
    assert cut.prompt == whole[-10:]
    assert cut.cut_tokens == len(whole) - 10
    assert cut.sampling.max_tokens == 30


@given(prompt=st.integers(0, 5000), max_tokens=st.integers(1, 5000), window=st.integers(2, 4000))
def test_prompt_and_generation_always_fit(prompt: int, max_tokens: int, window: int) -> None:
    keep, room = room_for(prompt, max_tokens, window)
    assert keep >= 1
    assert 1 <= room <= max_tokens
    assert min(prompt, keep) + room <= window
    if max_tokens < window:
        assert (keep, room) == (window - max_tokens, max_tokens)


def test_more_new_tokens_than_the_window_holds_are_shortened_and_said(models: dict[str, Path]) -> None:
    """lm-eval stops with an assertion: HumanEval's 1,024 new tokens on GPT-2, for one."""
    tokenizer = Tokenizer.load(spec(models["plain"], max_length=32))
    request = generate(tokenizer, "def f():", max_gen_toks=1024)
    assert request.cut_tokens == 0
    assert len(request.prompt) + request.sampling.max_tokens == 32
    assert any("1024 new tokens" in note for note in tokenizer.notes)


@settings(max_examples=60, deadline=None)
@given(page=text, width=st.integers(1, 40))
def test_rolling_windows_equal_lm_evals(page: str, width: int, tokenizers: dict[str, Tokenizer]) -> None:
    from lm_eval.utils import get_rolling_token_windows, make_disjoint_window

    tokenizer = tokenizers["plain"]
    (encoded,) = tokenizer.encode([Request("rolling", page)], score_limit=width + 1)
    tokens = tokenizer.hf.encode(page, add_special_tokens=False)
    theirs = map(make_disjoint_window, get_rolling_token_windows(tokens, tokenizer.prefix_token_id, width, 1))
    ours = [(r.context.tolist(), r.continuation.tolist()) for r in encoded.requests if isinstance(r, ScoreRequest)]
    assert ours == [tuple(window) for window in theirs]
    if tokens:
        scored = [Scored(request.id, -1.5, True) for request in encoded.requests]
        (total,) = encoded.fold(scored)
        assert isinstance(total, Scored)
        assert total.logprob == -1.5 * len(scored)
        assert encoded.fold([*scored[:-1], Failed(0, "no")]) == [Failed(0, "no")]
        assert encoded.fold([*scored[:-1], None]) == [None]


# ── in pieces ────────────────────────────────────────────────────────────────


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


def test_pieces_are_used_where_they_hold_and_only_there(built: dict[str, Any]) -> None:
    used = {name: Pieces.over(hf, ["some words " * 100]) is not None for name, hf in built.items()}
    assert used["byte level"]
    assert used["a split by expression"]
    assert used["a blank put first"]
    assert not used["a token that eats blanks"]
    assert not used["words run together"]


# ── generation arguments ─────────────────────────────────────────────────────


@settings(max_examples=100)
@given(
    kwargs=st.fixed_dictionaries(
        {},
        optional={
            "until": st.one_of(st.just("\n"), st.lists(st.sampled_from(["\n", "Q:", "</s>"]), max_size=3)),
            "max_gen_toks": st.integers(1, 500),
            "max_new_tokens": st.integers(1, 500),
            "max_tokens": st.integers(1, 500),
            "do_sample": st.booleans(),
            "temperature": st.sampled_from([0.0, 0.2, 1.0]),
            "top_p": st.sampled_from([0.5, 1.0]),
            "num_beams": st.integers(1, 3),
        },
    )
)
def test_generation_arguments_are_read_as_lm_eval_reads_them(kwargs: dict[str, Any]) -> None:
    from lm_eval.models.utils import handle_stop_sequences, normalize_gen_kwargs

    theirs = normalize_gen_kwargs(kwargs, 256)
    stops = handle_stop_sequences(list(theirs["until"]), eos="</s>")
    ours = sampling_of(kwargs, "</s>")
    assert ours.max_tokens == theirs["max_gen_toks"]
    assert ours.stop == tuple(stops)
    greedy = not theirs["do_sample"] or not theirs.get("temperature", 0.0)
    assert ours.temperature == (0.0 if greedy else theirs["temperature"])
    assert dict(ours.extra) == {key: value for key, value in kwargs.items() if key == "num_beams"}


def test_nonsense_in_generation_arguments_is_one_line() -> None:
    for kwargs in ({"max_gen_toks": 0}, {"max_gen_toks": "many"}, {"until": [3]}, {"temperature": "hot"}):
        with pytest.raises(UsageError):
            sampling_of(kwargs, None)


# ── chat templates ───────────────────────────────────────────────────────────

TURNS = [
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": "One and one?"},
    {"role": "assistant", "content": "Two"},
    {"role": "user", "content": "And two?"},
]


def test_a_models_own_template_renders_as_in_lm_eval(tokenizers: dict[str, Tokenizer], oracles: dict[str, Any]) -> None:
    template = tokenizers["bos"].chat()
    assert template(TURNS) == oracles["bos"].apply_chat_template(TURNS)
    begun = [*TURNS, {"role": "assistant", "content": "The answer is"}]
    assert template(begun, add_generation_prompt=False) == oracles["bos"].apply_chat_template(begun, False)
    assert template.description["source"] == "model"
    assert template.description["system_role"] == "native"


def test_a_model_without_a_template_gets_the_alpaca_format(tokenizers: dict[str, Tokenizer]) -> None:
    template = tokenizers["plain"].chat()
    assert template(TURNS[1:2]) == (
        "Below is an instruction that describes a task. Write a response that appropriately completes the request."
        "\n\n### Instruction:\nOne and one?\n\n### Response:\n"
    )
    assert template(TURNS) == (
        "Be brief.\n\n### Instruction:\nOne and one?\n\n### Response:\nTwo"
        "\n\n### Instruction:\nAnd two?\n\n### Response:\n"
    )
    begun = template([*TURNS, {"role": "assistant", "content": "It is"}], add_generation_prompt=False)
    assert begun.endswith("### Response:\nIt is")
    assert (template.description["source"], template.description["system_role"]) == ("alpaca", "native")
    assert len(template.description["hash"]) == 64


def test_a_template_that_refuses_a_system_role_gets_it_before_the_first_user_turn(tmp_path: Path) -> None:
    """lm-eval drops the system text, and says so only in its log."""
    template = Tokenizer.load(spec(make_checkpoint(tmp_path / "m", chat_template=NO_SYSTEM_TEMPLATE))).chat()
    merged = [{"role": "user", "content": "Be brief.\n\nOne and one?"}, *TURNS[2:]]
    assert template(TURNS) == template(merged)
    assert "Be brief." in template(TURNS)
    assert template.description["system_role"] == "merged"


def test_a_named_template_is_the_one_that_is_used(models: dict[str, Path]) -> None:
    """lm-eval records the named template and renders with the default one."""
    tokenizer = Tokenizer.load(spec(models["plain"]))
    tokenizer.hf.chat_template = {"default": CHAT_TEMPLATE, "shout": "{{ messages[-1]['content'] | upper }}"}
    assert tokenizer.chat("shout")(TURNS) == "AND TWO?"
    assert tokenizer.chat("shout").description["source"] == "named"
    with pytest.raises(UsageError, match="no such template; did you mean shout"):
        tokenizer.chat("shoot")
    with pytest.raises(UsageError, match="this model has no template"):
        Tokenizer.load(spec(models["plain"])).chat("shout")


def test_a_conversation_that_the_template_refuses_is_one_line(models: dict[str, Path]) -> None:
    tokenizer = Tokenizer.load(spec(models["plain"]))
    tokenizer.hf.chat_template = "{% if messages|length > 2 %}{{ raise_exception('roles must alternate') }}{% endif %}x"
    with pytest.raises(UsageError, match="roles must alternate"):
        tokenizer.chat()([*TURNS])


def test_chat_servers_get_messages(tokenizers: dict[str, Tokenizer]) -> None:
    prompt = message_prompts(TURNS)
    assert json.loads(prompt) == TURNS
    messages = tuple(Message(turn["role"], turn["content"]) for turn in TURNS)
    (encoded,) = encode_text([Request("generate", messages, gen_kwargs={"until": ["\n"]}, repeats=2)], first_id=4)
    assert [(r.id, r.text) for r in encoded.requests if isinstance(r, GenerateRequest)] == [
        (4, messages),
        (5, messages),
    ]
    (refused,) = encode_text([Request("score", "a", " b")])
    assert refused.requests == ()
    with pytest.raises(UsageError, match="--apply-chat-template"):
        tokenizers["plain"].encode([Request("generate", messages)])


# ── broken models ────────────────────────────────────────────────────────────


def test_a_model_without_a_tokenizer_or_a_configuration_says_so(tmp_path: Path) -> None:
    model = make_checkpoint(tmp_path / "m")
    for path in model.glob("tokenizer*"):
        path.unlink()
    with pytest.raises(CheckpointError, match="tokenizer cannot be loaded"):
        Tokenizer.load(spec(model))
    other = make_checkpoint(tmp_path / "n")
    (other / "config.json").write_text("{broken")
    with pytest.raises(CheckpointError):
        Tokenizer.load(spec(other))
