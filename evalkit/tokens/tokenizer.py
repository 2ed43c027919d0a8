"""The model's tokenizer; it splits context and continuation exactly as lm-eval's transformers model does."""

from __future__ import annotations

import hashlib
from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from evalkit.errors import CheckpointError, UsageError
from evalkit.models.window import Scaling, context_window
from evalkit.tokens.chat import ChatTemplate
from evalkit.tokens.encoding import Encoded
from evalkit.tokens.pieces import Pieces
from evalkit.tokens.sampling import DEFAULT_MAX_TOKENS, sampling_of
from evalkit.tokens.windows import cut_prompt, cut_to, rolling_windows, room_for
from evalkit.types import Arguments, GenerateRequest, ModelSpec, Request, Sampling, ScoreRequest, TokenIds

__all__ = ["Tokenizer"]

_TEXTS_AT_ONCE = 1024
"""Texts per call of the tokenizer: enough for its threads, few enough to hold as Python lists."""


class Tokenizer:
    """A model's tokenizer and window. Load it with `Tokenizer.load(spec)`; `encode` makes token requests."""

    def __init__(
        self,
        hf: Any,
        *,
        max_length: int,
        add_bos_token: bool | None = None,
        prefix_token_id: int | None = None,
        max_gen_toks: int = DEFAULT_MAX_TOKENS,
        chat_arguments: Arguments | None = None,
    ) -> None:
        self.hf = hf
        self.max_length = max_length
        self.max_gen_toks = max_gen_toks
        self.notes: list[str] = []
        """Notes for the user."""
        self._add_bos_token = add_bos_token
        self._prefix_token_id = prefix_token_id
        self._chat_arguments = chat_arguments or {}
        self._pieces: Any = _UNTRIED
        self._begins: dict[bool | None, TokenIds | None] = {}

    @classmethod
    def load(cls, spec: ModelSpec, *, scaling: Scaling | None = None) -> Tokenizer:
        """Load a model's tokenizer and window, without its weights. Raises CheckpointError if either can't be read.

        `scaling`: computes the engine's window from the configuration's length, if no window was requested.
        """
        args = dict(spec.args)
        add_bos = args.get("add_bos_token")
        if add_bos not in (None, True, False):
            raise UsageError(f"--model-args add_bos_token={add_bos}: true or false")
        # Always passed: without it transformers asks on the terminal, and a `y` on stdin would run the code.
        common: dict[str, object] = {"trust_remote_code": spec.trust_remote_code}
        if spec.revision:
            common["revision"] = spec.revision
        if args.get("subfolder"):
            common["subfolder"] = args["subfolder"]
        source = spec.tokenizer or str(args.get("tokenizer") or spec.source)
        of_model = source == spec.source
        hf = _load_hf(source, {**common, **({"add_bos_token": add_bos} if add_bos is not None else {})}, of_model)
        if args.get("truncation_side") not in (None, "left"):
            raise UsageError("--model-args truncation_side: prompts that are too long lose their left end here")
        window = _whole(args, "max_length") or _whole(args, "max_model_len")
        thinking = args.get("enable_thinking")
        return cls(
            hf,
            max_length=window or _window(spec.source, common, hf, scaling),
            add_bos_token=add_bos,
            prefix_token_id=_whole(args, "prefix_token_id", least=0),
            max_gen_toks=_whole(args, "max_gen_toks") or DEFAULT_MAX_TOKENS,
            chat_arguments={
                **(args.get("chat_template_args") or {}),
                **({"enable_thinking": thinking} if thinking is not None else {}),
            },
        )

    # ── facts ────────────────────────────────────────────────────────────────

    @property
    def bos_token_id(self) -> int | None:
        return self._id("bos_token_id")

    @property
    def eos_token_id(self) -> int | None:
        return self._id("eos_token_id")

    @property
    def prefix_token_id(self) -> int | None:
        """The token that stands for an empty context: the beginning of text, else the end of text."""
        if self._prefix_token_id is not None:
            return self._prefix_token_id
        return self.bos_token_id if self.bos_token_id is not None else self.eos_token_id

    @property
    def eos(self) -> str | None:
        return None if self.eos_token_id is None else self.decode([self.eos_token_id], skip_special_tokens=False)

    @property
    def vocab_size(self) -> int:
        return len(self.hf)

    @property
    def fingerprint(self) -> str:
        backend = getattr(self.hf, "backend_tokenizer", None)
        text = backend.to_str() if backend is not None else repr(sorted(self.hf.get_vocab().items()))
        return hashlib.sha256(text.encode()).hexdigest()

    @property
    def identity(self) -> str | None:
        """Equal for tokenizers that encode every prompt to the same requests; None where that cannot be told."""
        if getattr(self.hf, "backend_tokenizer", None) is None:
            return None
        settings = (self.max_length, self.max_gen_toks, self._add_bos_token, self._prefix_token_id, self.eos)
        return repr((self.fingerprint, self.hf.special_tokens_map, settings))

    def _id(self, name: str) -> int | None:
        value = getattr(self.hf, name, None)
        return None if value is None else int(value)

    def decode(self, ids: Sequence[int], skip_special_tokens: bool = True) -> str:
        return str(self.hf.decode(list(ids), skip_special_tokens=skip_special_tokens))

    def chat(self, named: bool | str = True) -> ChatTemplate:
        return ChatTemplate(self.hf, named, self._chat_arguments)

    # ── encoding ─────────────────────────────────────────────────────────────

    def encode(
        self,
        requests: Iterable[Request],
        *,
        first_id: int = 0,
        adapter: str | None = None,
        score_limit: int | None = None,
    ) -> list[Encoded]:
        """Encode requests, in batches. Ids count up from `first_id` over all token requests, in order.

        `score_limit`: how many tokens context and continuation may have together. The model never reads the last token
        of a continuation, so the default is `max_length + 1`, as in lm-eval's transformers model; an engine that has
        to generate a token too needs a lower limit.
        """
        limit = self.max_length + 1 if score_limit is None else score_limit
        ids = _Counter(first_id)
        encoded: list[Encoded] = []
        for batch in _batches(requests):
            tokens = self._tokens_of(batch)
            encoded += [self._encode_request(request, tokens, ids, adapter, limit) for request in batch]
        return encoded

    def _encode_request(
        self, request: Request, tokens: _Tokens, ids: _Counter, adapter: str | None, limit: int
    ) -> Encoded:
        if request.kind == "score":
            return self._score(request, tokens, ids, adapter, limit)
        if request.kind == "rolling":
            return self._rolling(request, tokens, ids, adapter, limit)
        return self._generate(request, tokens, ids, adapter)

    def _score(self, request: Request, tokens: _Tokens, ids: _Counter, adapter: str | None, limit: int) -> Encoded:
        context, continuation = _split(request)
        if context:
            left = tokens.plain[context]
            right = tokens.plain[context + continuation][len(left) :]
        else:
            left, right = array("i"), tokens.bare[continuation]
        if not left and right:
            # As lm-eval: the prefix token stands for an empty context, unless the continuation begins with it.
            prefix = self.prefix_token_id
            if prefix is not None and right[0] != prefix:
                left = array("i", [prefix])
            else:
                left, right = right[:1], right[1:]
        if not right:
            return Encoded("score", request.repeats, (), "the continuation has no token of its own after this context")
        cut = cut_to(left, right, limit)
        if cut is None:
            return Encoded(
                "score", request.repeats, (), f"the continuation has {len(right)} tokens, the window {self.max_length}"
            )
        return Encoded("score", request.repeats, (ScoreRequest(ids.next(), cut[0], right, adapter, cut[1]),))

    def _rolling(self, request: Request, tokens: _Tokens, ids: _Counter, adapter: str | None, limit: int) -> Encoded:
        prefix = self.prefix_token_id
        if prefix is None:
            return Encoded("rolling", request.repeats, (), "the tokenizer has neither a beginning nor an end of text")
        windows = rolling_windows(tokens.plain[_text(request)], prefix, limit - 1)
        made = tuple(ScoreRequest(ids.next(), left, right, adapter) for left, right in windows)
        return Encoded("rolling", request.repeats, made)

    def _generate(self, request: Request, tokens: _Tokens, ids: _Counter, adapter: str | None) -> Encoded:
        sampling = sampling_of(request.gen_kwargs, self.eos, self.max_gen_toks)
        whole = tokens.prompts[_text(request)]
        if not whole:
            if self.prefix_token_id is None:
                return Encoded("generate", request.repeats, (), "the prompt is empty")
            whole = array("i", [self.prefix_token_id])
        keep, room = room_for(len(whole), sampling.max_tokens, self.max_length)
        if room < sampling.max_tokens:
            self._note(
                f"{sampling.max_tokens} new tokens were asked for, more than the window of {self.max_length}: shortened"
            )
            sampling = _shortened(sampling, room)
        prompt, cut = cut_prompt(whole, keep)
        made = tuple(
            GenerateRequest(ids.next(), prompt, sampling, sample, request.context, adapter, cut)
            for sample in range(request.repeats)
        )
        return Encoded("generate", request.repeats, made)

    def _note(self, text: str) -> None:
        if text not in self.notes:
            self.notes.append(text)

    # ── the tokenizer itself ─────────────────────────────────────────────────

    def _tokens_of(self, batch: Sequence[Request]) -> _Tokens:
        """Encode every text of the batch once."""
        plain: dict[str, TokenIds] = {}
        bare: dict[str, TokenIds] = {}
        prompts: dict[str, TokenIds] = {}
        for request in batch:
            if request.kind == "score":
                context, continuation = _split(request)
                if context:
                    plain[context] = plain[context + continuation] = _EMPTY
                else:
                    bare[continuation] = _EMPTY
            elif request.kind == "rolling":
                plain[_text(request)] = _EMPTY
            else:
                prompts[_text(request)] = _EMPTY
        prefix = self.prefix_token_id
        begin = None if prefix is None else self.decode([prefix], skip_special_tokens=False)
        self._fill(plain, lambda text: begin is not None and text.startswith(begin))
        self._fill(prompts, self._begins_with_bos)
        self._fill(bare, lambda text: True)
        return _Tokens(plain, bare, prompts)

    def _begins_with_bos(self, text: str) -> bool:
        bos = getattr(self.hf, "bos_token", None)
        return bos is not None and text.startswith(bos)

    def _fill(self, texts: dict[str, TokenIds], is_bare: Callable[[str], bool]) -> None:
        """Encode each text in place. A text that begins with the special token gets no second one."""
        bare = [text for text in texts if is_bare(text)]
        with_special = set(bare)
        plain = [text for text in texts if text not in with_special]
        for some, special in ((bare, False), (plain, self._add_bos_token)):
            for start in range(0, len(some), _TEXTS_AT_ONCE):
                chunk = some[start : start + _TEXTS_AT_ONCE]
                texts.update(zip(chunk, self._encode_texts(chunk, special), strict=True))

    def _encode_texts(self, texts: list[str], special: bool | None) -> list[TokenIds]:
        """Encode texts. `special`: whether to add special tokens; None is the tokenizer's default."""
        if self._pieces is _UNTRIED:
            self._pieces = Pieces.over(self.hf, texts)
        begin = self._begin(special)
        if self._pieces is None or begin is None:
            options = {} if special is None else {"add_special_tokens": special}
            batch = self.hf(texts, return_attention_mask=False, return_token_type_ids=False, verbose=False, **options)
            return [array("i", ids) for ids in batch["input_ids"]]
        encoded: list[TokenIds] = self._pieces.encode(texts)
        return [begin + ids for ids in encoded] if begin else encoded

    def _begin(self, special: bool | None) -> TokenIds | None:
        """The special tokens that go before every text; None if some go after it."""
        if special is False:
            return _EMPTY
        if special not in self._begins:
            options = {} if special is None else {"add_special_tokens": special}
            with_special = list(self.hf("a b", **options)["input_ids"])
            bare = list(self.hf("a b", add_special_tokens=False)["input_ids"])
            before = with_special[: len(with_special) - len(bare)]
            self._begins[special] = array("i", before) if with_special == before + bare else None
        return self._begins[special]


_UNTRIED: Any = object()
_EMPTY: TokenIds = array("i")


class _Tokens:
    __slots__ = ("bare", "plain", "prompts")

    def __init__(self, plain: dict[str, TokenIds], bare: dict[str, TokenIds], prompts: dict[str, TokenIds]) -> None:
        self.plain = plain
        self.bare = bare
        self.prompts = prompts


class _Counter:
    __slots__ = ("_next",)

    def __init__(self, first: int) -> None:
        self._next = first

    def next(self) -> int:
        self._next += 1
        return self._next - 1


def _batches(requests: Iterable[Request]) -> Iterator[list[Request]]:
    """Batches of requests; the requests of one context stay together."""
    batch: list[Request] = []
    for request in requests:
        if len(batch) >= _TEXTS_AT_ONCE and request.context is not batch[-1].context:
            yield batch
            batch = []
        batch.append(request)
    if batch:
        yield batch


def _text(request: Request) -> str:
    if not isinstance(request.context, str):
        raise UsageError("this engine takes text: messages need a chat template (--apply-chat-template)")
    return request.context


def _split(request: Request) -> tuple[str, str]:
    """Context and continuation. Trailing spaces go to the continuation: most vocabularies begin words with a space."""
    context = _text(request)
    stripped = context.rstrip()
    return stripped, context[len(stripped) :] + request.continuation


def _shortened(sampling: Sampling, max_tokens: int) -> Sampling:
    from dataclasses import replace

    return replace(sampling, max_tokens=max_tokens)


def _load_hf(source: str, options: Arguments, of_model: bool) -> Any:
    from transformers import AutoTokenizer

    if not of_model and source.startswith(("/", ".", "~")) and not Path(source).expanduser().exists():
        raise UsageError(f"--model-args tokenizer={source}: there is no such folder")
    what = source if of_model else f"tokenizer {source}"
    try:
        return AutoTokenizer.from_pretrained(source, **options)
    except Exception as error:
        if "trust_remote_code" in str(error):
            raise UsageError(
                f"{what}: its tokenizer brings Python code of its own, which is not run unasked: read it, then add "
                "--trust-remote-code"
            ) from error
        raise CheckpointError(f"{what}: its tokenizer cannot be loaded ({_first_line(error)})") from error


def _window(source: str, options: Arguments, hf: Any, scaling: Scaling | None) -> int:
    from transformers import AutoConfig

    try:
        config = AutoConfig.from_pretrained(source, **options)
    except Exception as error:
        raise CheckpointError(f"{source}: its config.json cannot be read ({_first_line(error)})") from error
    return context_window(config, getattr(hf, "model_max_length", None), scaling)


def _whole(args: Arguments, name: str, least: int = 1) -> int | None:
    """A model argument that must be a whole number; None if it was not given."""
    value = args.get(name)
    if value is None:
        return None
    text = str(value)
    if not (text.isascii() and text.isdigit() and int(text) >= least):
        raise UsageError(f"--model-args {name}={value}: a whole number is wanted, {least} or more")
    return int(text)


def _first_line(error: BaseException) -> str:
    return " ".join(str(error).split())[:240] or type(error).__name__
