"""Small checkpoints and adapters, made in seconds: whole ones, and ones broken in every way we name.

All are real: Llama-shaped weights in safetensors and a byte-level BPE tokenizer of their own, so that
transformers, vLLM and lm-eval all load them. The weights are random, but wide enough that logits, greedy
texts and adapters differ visibly from one another.
"""

from __future__ import annotations

import json
import random
import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Literal

__all__ = [
    "CHAT_TEMPLATE",
    "NO_SYSTEM_TEMPLATE",
    "Broken",
    "Size",
    "break_checkpoint",
    "corpus",
    "make_adapter",
    "make_checkpoint",
    "make_extended_adapter",
    "make_tokenizer",
]

Size = Literal["tiny", "7m"]
Broken = Literal[
    "missing_shard",
    "truncated",
    "missing_tokenizer",
    "missing_config",
    "missing_weights",
    "lfs_pointer",
    "nan",
]

# Heads of 32: the smallest that vLLM's CPU attention takes.
SHAPES: dict[str, dict[str, int]] = {
    "tiny": {"hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2, "heads": 2, "kv_heads": 1},
    "7m": {"hidden_size": 256, "intermediate_size": 704, "num_hidden_layers": 6, "heads": 8, "kv_heads": 4},
}

CHAT_TEMPLATE = (
    "{% for message in messages %}<|{{ message['role'] }}|>\n{{ message['content'] }}</s>\n{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>\n{% endif %}"
)

NO_SYSTEM_TEMPLATE = (
    "{% for message in messages %}"
    "{% if message['role'] == 'system' %}{{ raise_exception('System role not supported') }}{% endif %}"
    "<|{{ message['role'] }}|>\n{{ message['content'] }}</s>\n{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>\n{% endif %}"
)

WORDS = """
the of and to in is that it was for on are as with they be at one have this from or had by hot word but
what some we can out other were all there when up use your how said an each she which do their time if
will way about many then them write would like so these her long make thing see him two has look more
day could go come did number sound no most people my over know water than call first who may down side
been now find any new work part take get place made live where after back little only round man year
came show every good me give our under name very through just form sentence great think say help low
line differ turn cause much mean before move right boy old too same tell does set three want air well
also play small end put home read hand port large spell add even land here must big high such follow act
why ask men change went light kind off need house picture try us again animal point mother world near
build self earth father head stand own page should country found answer school grow study still learn
plant cover food sun four between state keep eye never last let thought city tree cross farm hard start
might story saw far sea draw left late run while press close night real life few north question
following correct choice example energy law court right system function value cell group force state
history market price theory number equation field mass charge patient disease treatment person order
total half sold dollars hours minutes times each twice percent cost buys bought left many more eggs
apples week month
""".split()  # noqa: SIM905


def corpus(sentences: int = 4000, seed: int = 0) -> list[str]:
    """English-looking sentences, sums and a little Korean: enough for a tokenizer to find its merges."""
    rng = random.Random(seed)
    lines = []
    for i in range(sentences):
        words = [rng.choice(WORDS) for _ in range(rng.randint(4, 14))]
        line = " ".join(words).capitalize() + rng.choice([".", "?", ",", "!"])
        match i % 5:
            case 0:
                choices = "\n".join(f"{letter}. {word}" for letter, word in zip("ABCD", words, strict=False))
                line = f"Question: {line}\n{choices}\nAnswer: A\n\n"
            case 1:
                a, b = rng.randint(2, 999), rng.randint(2, 99)
                line = f"Q: {line} {a} + {b} = {a + b}. #### {a + b}\n\nA: Let's think step by step. "
            case 2:
                line += f' def {words[0]}({words[1]}, {words[2]}):\n    """{line}"""\n    return {words[1]}\n'
            case 3:
                line += " 다음 문장은 참이다. 정답은 무엇인가? 서울은 한국의 수도이다."
        lines.append(line)
    return lines


def make_tokenizer(
    folder: Path,
    *,
    vocab: int = 1024,
    chat_template: str | None = None,
    add_bos: bool = False,
    texts: Iterable[str] | None = None,
    extra_tokens: Sequence[str] = (),
    max_length: int = 2048,
) -> Path:
    """A byte-level BPE tokenizer with `<s>`, `</s>` and `<pad>`, trained on `texts` (else on `corpus()`)."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
    from transformers import PreTrainedTokenizerFast

    raw = Tokenizer(models.BPE())
    raw.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    raw.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocab,
        special_tokens=["<s>", "</s>", "<pad>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    raw.train_from_iterator(corpus() if texts is None else texts, trainer)
    if add_bos:
        raw.post_processor = processors.TemplateProcessing(
            single="<s> $A", pair="<s> $A $B", special_tokens=[("<s>", raw.token_to_id("<s>"))]
        )
    fast = PreTrainedTokenizerFast(
        tokenizer_object=raw,
        bos_token="<s>",
        eos_token="</s>",
        pad_token="<pad>",
        model_max_length=max_length,
        clean_up_tokenization_spaces=False,
    )
    if chat_template is not None:
        fast.chat_template = chat_template
    if extra_tokens:
        fast.add_tokens(list(extra_tokens))
    fast.save_pretrained(folder)
    return folder


def make_checkpoint(
    folder: Path,
    *,
    size: Size = "tiny",
    vocab: int = 1024,
    max_position_embeddings: int = 2048,
    seed: int = 0,
    chat_template: bool | str = False,
    dtype: str = "float32",
    add_bos: bool = False,
    shards: int = 1,
    texts: Iterable[str] | None = None,
    config: dict[str, Any] | None = None,
) -> Path:
    """A Llama checkpoint with tokenizer, config and generation config; `config` overrides LlamaConfig's fields."""
    import torch
    from transformers import GenerationConfig, LlamaConfig, LlamaForCausalLM

    folder.mkdir(parents=True, exist_ok=True)
    template = {True: CHAT_TEMPLATE, False: None}.get(chat_template, chat_template)  # type: ignore[call-overload]
    make_tokenizer(
        folder,
        vocab=vocab,
        chat_template=template,
        add_bos=add_bos,
        texts=texts,
        max_length=max_position_embeddings,
    )
    shape = dict(SHAPES[size])
    fields: dict[str, Any] = {
        "vocab_size": vocab,
        "num_attention_heads": shape.pop("heads"),
        "num_key_value_heads": shape.pop("kv_heads"),
        **shape,
        "max_position_embeddings": max_position_embeddings,
        "bos_token_id": 0,
        "eos_token_id": 1,
        "pad_token_id": 2,
        "tie_word_embeddings": False,
        **(config or {}),
    }
    model = _random_llama(LlamaConfig(**fields), seed).to(getattr(torch, dtype))
    model.config.dtype = getattr(torch, dtype)
    model.generation_config = GenerationConfig(bos_token_id=0, eos_token_id=1, pad_token_id=2)
    assert isinstance(model, LlamaForCausalLM)
    if shards > 1:
        total = sum(p.numel() * p.element_size() for p in model.parameters())
        model.save_pretrained(folder, max_shard_size=total // shards + 1)
    else:
        model.save_pretrained(folder)
    return folder


def _random_llama(config: Any, seed: int) -> Any:
    import torch
    from transformers import LlamaForCausalLM

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = LlamaForCausalLM(config)
        with torch.no_grad():
            for name, weight in model.named_parameters():
                if weight.dim() < 2:
                    continue
                # Wider than the usual 0.02, else attention is flat and every context looks alike.
                std = 2.5 / config.hidden_size**0.5 if "lm_head" in name else 1.5 / weight.shape[-1] ** 0.5
                weight.normal_(0.0, 1.0 if "embed" in name else std)
    return model.eval()


def make_adapter(
    base: Path,
    folder: Path,
    *,
    seed: int = 1,
    rank: int = 4,
    strength: float = 0.3,
    dora: bool = False,
    modules_to_save: Sequence[str] = (),
) -> Path:
    """A peft LoRA adapter over `base` that visibly moves its logits."""
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32)
        config = LoraConfig(
            r=rank,
            lora_alpha=2 * rank,
            target_modules=["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"],
            modules_to_save=list(modules_to_save) or None,
            use_dora=dora,
            task_type="CAUSAL_LM",
        )
        tuned = get_peft_model(model, config)
        _move(tuned, strength)
        tuned.save_pretrained(folder, save_embedding_layers=False)
    return folder


def make_extended_adapter(
    base: Path, folder: Path, *, new_tokens: Sequence[str] = ("서울", "문장", "정답"), seed: int = 1
) -> Path:
    """An adapter whose vocabulary grew: new tokens, trained embeddings and head, its own tokenizer."""
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM, AutoTokenizer

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        tokenizer = AutoTokenizer.from_pretrained(base)
        tokenizer.add_tokens(list(new_tokens))
        model = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32)
        model.resize_token_embeddings(len(tokenizer))
        config = LoraConfig(
            r=4,
            lora_alpha=8,
            target_modules=["q_proj", "v_proj"],
            modules_to_save=["embed_tokens", "lm_head"],
            task_type="CAUSAL_LM",
        )
        tuned = get_peft_model(model, config)
        _move(tuned, 0.3)
        tuned.save_pretrained(folder)
        tokenizer.save_pretrained(folder)
    return folder


def _move(tuned: Any, strength: float) -> None:
    import torch

    with torch.no_grad():
        for name, weight in tuned.named_parameters():
            if "lora_B" in name:
                weight.normal_(0.0, strength)
            elif "modules_to_save" in name:
                weight.add_(torch.randn_like(weight) * 0.2)


def break_checkpoint(source: Path, folder: Path, how: Broken) -> Path:
    """A copy of `source`, broken in one way. `missing_shard` wants a checkpoint made with `shards` > 1."""
    shutil.copytree(source, folder)
    weights = sorted(folder.glob("*.safetensors"))
    match how:
        case "missing_shard":
            index = json.loads((folder / "model.safetensors.index.json").read_text())
            (folder / sorted(set(index["weight_map"].values()))[-1]).unlink()
        case "truncated":
            with weights[-1].open("r+b") as file:
                file.truncate(weights[-1].stat().st_size // 2)
        case "missing_tokenizer":
            for name in ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json"):
                (folder / name).unlink(missing_ok=True)
        case "missing_config":
            (folder / "config.json").unlink()
        case "missing_weights":
            for path in weights:
                path.unlink()
        case "lfs_pointer":
            size = weights[0].stat().st_size
            weights[0].write_text(f"version https://git-lfs.github.com/spec/v1\noid sha256:{'0' * 64}\nsize {size}\n")
        case "nan":
            _poison(weights)
    return folder


def _poison(weights: Sequence[Path]) -> None:
    """Every norm, in whichever shard it lies: a part that a prompt may not touch would leave the model whole."""
    import torch
    from safetensors.torch import load_file, save_file

    for path in weights:
        tensors = load_file(path)
        norms = [name for name in tensors if name.endswith("norm.weight")]
        tensors |= {name: torch.full_like(tensors[name], float("nan")) for name in norms}
        save_file(tensors, path, metadata={"format": "pt"})
