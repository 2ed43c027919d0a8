"""What the user asked of a run, read from flags or a YAML file and checked before anything is loaded.

The keys of `--config FILE.yaml` are the flags without their dashes. A flag beats its `EVALKIT_` variable,
and that the file.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from evalkit.engines.spec import AUTO, EngineSpec, check_name, startable
from evalkit.errors import ConfigError, UsageError, nearest

__all__ = ["RunConfig", "Seeds", "parse_adapter", "parse_limit", "parse_pairs", "parse_seeds", "read_file"]

TIERS = ("auto", "namespaces", "landlock", "unsafe-none")


@dataclass(frozen=True, slots=True)
class Seeds:
    """lm-eval's four, in its order, with its defaults."""

    random: int = 0
    numpy: int = 1234
    torch: int = 1234
    fewshot: int = 1234


@dataclass(frozen=True, slots=True)
class RunConfig:
    """One `evalkit run`, complete. Field names are the flags' names."""

    model: tuple[str, ...]
    tasks: tuple[str, ...]
    model_args: Mapping[str, Any] = field(default_factory=dict)
    num_fewshot: int | None = None
    limit: float | None = None
    apply_chat_template: bool | str = False
    fewshot_as_multiturn: bool = False
    system_instruction: str | None = None
    gen_kwargs: Mapping[str, Any] = field(default_factory=dict)
    repeats: int | None = None
    batch_size: str = "auto"
    device: str | None = None
    seed: Seeds = Seeds()
    include_path: tuple[str, ...] = ()
    allow_task_code: bool = False
    trust_remote_code: bool = False
    output_path: Path = Path("results")
    engine: str = AUTO
    data_dir: Path | None = None
    name: str | None = None
    adapter: tuple[tuple[str, str], ...] = ()
    no_base: bool = False
    fresh: bool = False
    sandbox: str = "auto"

    def __post_init__(self) -> None:
        if not self.model:
            raise UsageError(
                "--model is missing: give an alias, a hub id, a path or nano (evalkit models lists the aliases)"
            )
        if not self.tasks:
            raise UsageError("--tasks is missing: try --tasks mini, or mmlu,gsm8k (evalkit tasks list shows them all)")
        check_name(self.engine)
        if self.sandbox not in TIERS:
            raise UsageError(
                f"--sandbox {self.sandbox}: no such tier{nearest(self.sandbox, TIERS)} (one of {', '.join(TIERS)})"
            )
        names = [name for name, _ in self.adapter]
        for name in names:
            if names.count(name) > 1:
                raise UsageError(
                    f"--adapter: two adapters are called {name!r}; name them apart with --adapter NAME=PATH"
                )
        if self.adapter and len(self.model) > 1:
            raise UsageError("--adapter goes with one --model: an adapter belongs to its base")
        if self.system_instruction is not None and not self.system_instruction.strip():
            raise UsageError("--system-instruction is empty: leave it out, or say something")

    @classmethod
    def build(cls, **asked: Any) -> RunConfig:
        """From flags as they were typed. What is None keeps its default."""
        asked = {key: value for key, value in asked.items() if value is not None}
        models = split_list(asked.pop("model", ()))
        model_args = parse_pairs(asked.pop("model_args", None), "--model-args")
        models, model_args, engine = _as_lm_eval_types_it(models, model_args, asked.pop("engine", AUTO))
        chat = asked.pop("apply_chat_template", False)
        chat = _boolean_or_name(chat)
        multiturn = asked.pop("fewshot_as_multiturn", None)
        multiturn = bool(chat) if multiturn is None else _boolean(multiturn, "--fewshot-as-multiturn")
        if multiturn and not chat:
            raise UsageError(
                "--fewshot-as-multiturn needs --apply-chat-template: without a template there are no turns"
            )
        data_dir = asked.pop("data_dir", None)
        return cls(
            model=models,
            tasks=split_tasks(asked.pop("tasks", ())),
            model_args=model_args,
            engine=engine,
            apply_chat_template=chat,
            fewshot_as_multiturn=multiturn,
            gen_kwargs=parse_pairs(asked.pop("gen_kwargs", None), "--gen-kwargs"),
            limit=parse_limit(asked.pop("limit", None)),
            seed=parse_seeds(asked.pop("seed", None)),
            include_path=split_list(asked.pop("include_path", ())),
            adapter=tuple(parse_adapter(text) for text in split_list(asked.pop("adapter", ()))),
            batch_size=parse_batch_size(asked.pop("batch_size", "auto")),
            output_path=Path(asked.pop("output_path", "results")),
            data_dir=Path(data_dir) if data_dir else None,
            **asked,
        )


def split_list(value: str | Sequence[str]) -> tuple[str, ...]:
    """`a,b` or several flags or a YAML list; order kept, repeats dropped."""
    parts = [value] if isinstance(value, str) else [str(part) for part in value]
    names = [name.strip() for part in parts for name in part.split(",")]
    return tuple(dict.fromkeys(name for name in names if name))


_OF_FILES = ("alpaca:", "messages:")


def split_tasks(value: str | Sequence[str]) -> tuple[str, ...]:
    """As `split_list`; a comma inside the name of a file that exists does not part it."""
    names: list[str] = []
    for text in [value] if isinstance(value, str) else [str(part) for part in value]:
        parts = text.split(",")
        while parts:
            count = next((n for n in range(len(parts), 1, -1) if _is_one_file(",".join(parts[:n]))), 1)
            names.append(",".join(parts[:count]).strip())
            parts = parts[count:]
    return tuple(dict.fromkeys(name for name in names if name))


def _is_one_file(text: str) -> bool:
    prefix, colon, path = text.strip().partition(":")
    try:
        return f"{prefix}{colon}" in _OF_FILES and Path(path).expanduser().is_file()
    except (OSError, ValueError, RuntimeError):
        return False


def parse_pairs(value: str | Sequence[str] | Mapping[str, Any] | None, flag: str) -> dict[str, Any]:
    """`k=v,k=v` with lm-eval's reading of numbers, true, false and none."""
    if value is None:
        return {}
    if isinstance(value, Mapping):
        return dict(value)
    text = value if isinstance(value, str) else ",".join(value)
    pairs: dict[str, Any] = {}
    for part in filter(None, (part.strip() for part in text.split(","))):
        key, equals, raw = part.partition("=")
        if not equals or not key.strip():
            raise UsageError(f"{flag} {text}: {part!r} is not of the form key=value")
        pairs[key.strip()] = _literal(raw)
    return pairs


def parse_limit(value: str | float | None) -> float | None:
    if value is None:
        return None
    try:
        limit = float(value)
    except ValueError:
        raise UsageError(f"--limit {value}: a number of documents, or a share of them between 0 and 1") from None
    if not limit > 0 or limit == float("inf"):
        raise UsageError(f"--limit {value}: must be above 0; leave it out to run all documents")
    return limit


def parse_batch_size(value: str | int) -> str:
    text = str(value).strip().lower()
    if text.partition(":")[0] != "auto" and not (text.isascii() and text.isdigit() and int(text) > 0):
        raise UsageError(f"--batch-size {value}: auto, or the most rows at once, 1 or more")
    return text


def parse_seeds(value: str | int | Sequence[Any] | None) -> Seeds:
    """One number for all four, or lm-eval's four: random, numpy, torch, few-shot."""
    if value is None:
        return Seeds()
    parts = value.split(",") if isinstance(value, str) else [value] if isinstance(value, int) else list(value)
    try:
        numbers = [int(part) for part in parts]
    except (TypeError, ValueError):
        raise UsageError(f"--seed {value}: whole numbers, as in --seed 7 or --seed 0,1234,1234,1234") from None
    if len(numbers) == 1:
        numbers *= 4
    if len(numbers) not in (3, 4) or min(numbers) < 0:
        raise UsageError(f"--seed {value}: one number, or four of them (random, numpy, torch, few-shot), none below 0")
    return Seeds(*numbers)


def parse_adapter(text: str) -> tuple[str, str]:
    """`NAME=PATH`, or a path whose last part is the name."""
    name, equals, path = text.partition("=")
    if not equals:
        name, path = Path(text).expanduser().resolve().name, text
    if not name or not path:
        raise UsageError(f"--adapter {text}: give --adapter PATH or --adapter NAME=PATH")
    return name, path


def read_file(path: Path, known: Sequence[str]) -> dict[str, Any]:
    """The keys of a `--config` file, `-` or `_` alike; an unknown one names the nearest."""
    import yaml

    try:
        loaded = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"--config {path}: cannot be read ({error.strerror})") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(f"--config {path}: not valid YAML ({' '.join(str(error).split())})") from None
    if loaded is None:
        return {}
    if not isinstance(loaded, dict):
        raise ConfigError(f"--config {path}: a mapping of flags to values is wanted, this is a {type(loaded).__name__}")
    keys = {str(key).replace("-", "_"): value for key, value in loaded.items()}
    for key in keys:
        if key not in known:
            raise ConfigError(f"--config {path}: unknown key {key!r}{nearest(key, known)}")
    return keys


def _as_lm_eval_types_it(
    models: tuple[str, ...], model_args: dict[str, Any], engine: str
) -> tuple[tuple[str, ...], dict[str, Any], str]:
    """`--model hf --model-args pretrained=X` means `--model X --engine hf`."""
    spec = _lm_eval_backend(models[0]) if len(models) == 1 else None
    if spec is None or Path(models[0]).exists():
        if "pretrained" in model_args:
            raise UsageError(
                f"--model-args pretrained=… goes with {_named_by_pretrained()}; here --model already names the model"
            )
        return models, model_args, engine
    rest = dict(model_args)
    pretrained = None
    for name in spec.lm_eval_model_arguments:
        pretrained = pretrained or rest.pop(name, None)
    if pretrained is None:
        raise UsageError(f"--model {models[0]} needs --model-args pretrained=…: which model? (or just --model NAME)")
    if engine not in (AUTO, spec.name):
        raise UsageError(f"--model {models[0]} and --engine {engine} contradict each other: drop one")
    return (str(pretrained),), rest, spec.name


def _lm_eval_backend(typed: str) -> EngineSpec | None:
    return next((spec for spec in startable() if typed in spec.lm_eval_names), None)


def _named_by_pretrained() -> str:
    return " or ".join(sorted(f"--model {spec.name}" for spec in startable() if spec.name in spec.lm_eval_names))


def _literal(raw: str) -> Any:
    text = raw.strip()
    if len(text) >= 2 and text[0] == text[-1] and text[0] in "'\"":
        return text[1:-1]
    named = {"true": True, "false": False, "none": None}
    if text.lower() in named:
        return named[text.lower()]
    for number in (int, float):
        try:
            return number(text)
        except ValueError:
            continue
    return text


def _boolean(value: Any, flag: str) -> bool:
    text = str(value).strip().lower()
    if text in ("true", "1", "yes", "on"):
        return True
    if text in ("false", "0", "no", "off"):
        return False
    raise UsageError(f"{flag} {value}: true or false")


def _boolean_or_name(value: Any) -> bool | str:
    try:
        return _boolean(value, "--apply-chat-template")
    except UsageError:
        return str(value)
