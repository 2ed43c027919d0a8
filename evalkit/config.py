"""What the user asked of a run, from flags, keyword arguments or a YAML file, checked before anything is loaded.

The keys of `--config FILE.yaml` are the flags without their dashes. Where several set
the same: first the flag, then its `EVALKIT_` variable, then the file.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import field
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import BeforeValidator, Field, InstanceOf

from evalkit.arguments import Flag, Folder, Names, arguments, checked, split_list
from evalkit.descriptions import describe
from evalkit.engines.spec import AUTO, EngineSpec, check_name, engine_names, startable
from evalkit.errors import ConfigError, UsageError, nearest
from evalkit.parsing import (
    Seeds,
    Shard,
    parse_adapters,
    parse_batch_size,
    parse_boolean,
    parse_cluster,
    parse_limit,
    parse_pairs,
    parse_replicas,
    parse_seeds,
    parse_shard,
    parse_template,
    split_tasks,
)
from evalkit.types import Arguments
from evalkit.yamlfile import read_yaml

__all__ = ["TIERS", "Arguments", "RunConfig", "read_file"]

TIERS = ("auto", "namespaces", "landlock", "unsafe-none")


def _engine_help() -> str:
    *others, last = (AUTO, *engine_names())
    return f"{', '.join(others)} or {last}."


def _device_help() -> str:
    takes = ", ".join(spec.name for spec in startable() if spec.device == "taken")
    return f"cpu, cuda, cuda:1 … ({takes} only); found by itself."


def _pairs(flag: str) -> BeforeValidator:
    return BeforeValidator(lambda value: parse_pairs(value, flag))


@arguments
class RunConfig:
    """One `evalkit run`, complete. Field names are the flags' names."""

    model: Annotated[
        Names,
        Flag(
            "An alias (evalkit models), a hub id, a path or nano; several with commas.",
            metavar="MODEL",
            short=("-m", "-M"),
            many=True,
        ),
    ] = ()
    model_args: Annotated[
        Arguments,
        _pairs("--model-args"),
        Flag(
            "Engine arguments: dtype=bfloat16, revision=…, max_model_len=…", metavar="K=V,…", short=("-a",), many=True
        ),
    ] = field(default_factory=dict)
    engine: Annotated[str, Flag(_engine_help, metavar="ENGINE")] = AUTO
    adapter: Annotated[
        tuple[tuple[str, str], ...],
        BeforeValidator(parse_adapters),
        Flag("A LoRA adapter; repeat for several. The base runs too.", metavar="[NAME=]PATH", many=True),
    ] = ()
    no_base: Annotated[bool, Flag("Leave the base out; run its adapters only.", switch=True)] = False
    device: Annotated[str | None, Flag(_device_help, metavar="DEVICE")] = None
    batch_size: Annotated[
        str,
        BeforeValidator(parse_batch_size),
        Flag("auto, or at most N at once.", metavar="N", short=("-b",)),
    ] = "auto"
    replicas: Annotated[
        int | str | None,
        BeforeValidator(parse_replicas),
        Flag("Copies of the model that answer together; auto: one for each GPU, or each group of them.", metavar="N"),
    ] = None
    cluster: Annotated[
        str | None,
        BeforeValidator(parse_cluster),
        Flag("A running Ray cluster for the copies: auto, or HOST:PORT of its head.", metavar="ADDRESS"),
    ] = None
    shard: Annotated[
        InstanceOf[Shard] | None,
        BeforeValidator(parse_shard),
        Flag("Run the I-th of N shares, which evalkit merge joins. slurm: from the job array.", metavar="I/N"),
    ] = None
    trust_remote_code: Annotated[
        bool, Flag("Let this model's repository run its own Python. Recorded.", switch=True)
    ] = False
    tasks: Annotated[
        tuple[str, ...],
        BeforeValidator(split_tasks),
        Flag(
            "Tasks, groups, globs (evalkit tasks list), qa.csv or alpaca:FILE.", metavar="A,B", short=("-t",), many=True
        ),
    ] = ()
    input: Annotated[str | None, Flag("Of --tasks qa.csv: the column of the questions.", metavar="NAME")] = None
    target: Annotated[str | None, Flag("Of --tasks qa.csv: the column of the answers.", metavar="NAME")] = None
    score: Annotated[
        str | None, Flag("Of --tasks qa.csv: exact, contains, choice, numeric, regex or judge.", metavar="HOW")
    ] = None
    num_fewshot: Annotated[
        int | None,
        Field(ge=0),
        Flag("Examples in the prompt; each task has its usual number.", metavar="N", short=("-f",)),
    ] = None
    limit: Annotated[
        float | None,
        BeforeValidator(parse_limit),
        Flag(
            "Only the first N documents of each task, or a share below 1. Stamped LIMITED.",
            metavar="N",
            short=("-L",),
        ),
    ] = None
    apply_chat_template: Annotated[
        bool | str,
        BeforeValidator(parse_template),
        Flag("Render prompts with the model's chat template.", metavar="[NAME]", alone="true"),
    ] = False
    fewshot_as_multiturn: Annotated[
        bool,
        Flag("Examples as turns; implied by --apply-chat-template.", metavar="[true|false]", alone="true"),
    ] = False
    system_instruction: Annotated[str | None, Flag("A system prompt.", metavar="TEXT")] = None
    chat_template_kwargs: Annotated[
        Arguments,
        _pairs("--chat-template-kwargs"),
        Flag("Arguments for the chat template, here or on the server.", metavar="K=V,…", many=True),
    ] = field(default_factory=dict)
    enable_thinking: Annotated[
        bool | None,
        Flag("Handed to the chat template: whether the model thinks.", metavar="[true|false]", alone="true"),
    ] = None
    reasoning_effort: Annotated[
        str | None, Flag("Handed to the chat template or the server: low, medium, high …", metavar="LEVEL")
    ] = None
    think_start: Annotated[str | None, Flag("What begins a thought, where it is not recognised.", metavar="TEXT")] = (
        None
    )
    think_end: Annotated[str | None, Flag("What ends a thought, where it is not recognised.", metavar="TEXT")] = None
    no_think: Annotated[bool, Flag("Take the whole text for the answer, whatever the template says.", switch=True)] = (
        False
    )
    think_budget: Annotated[
        int | None,
        Field(ge=1),
        Flag("End each thought after N tokens and ask for the answer.", metavar="N"),
    ] = None
    gen_kwargs: Annotated[
        Arguments,
        _pairs("--gen-kwargs"),
        Flag("Generation settings over the tasks' own.", metavar="K=V,…", many=True),
    ] = field(default_factory=dict)
    self_debias: Annotated[
        Names,
        Flag("Generate away from these: toxicity, threat … or all (--engine hf).", metavar="A,B", many=True),
    ] = ()
    debias_lambda: Annotated[
        float, Field(ge=0, allow_inf_nan=False), Flag("How strongly; 0 is plain generation.", metavar="L")
    ] = 50.0
    debias_epsilon: Annotated[
        float, Field(ge=0, le=1), Flag("No token becomes less likely than by this factor.", metavar="E")
    ] = 0.01
    drop: Annotated[
        float | None,
        Field(gt=0, lt=1),
        Flag("Only as many documents of each task as find such a drop.", metavar="AMOUNT"),
    ] = None
    power: Annotated[float | None, Field(gt=0, lt=1), Flag("How often --drop should be found.", metavar="SHARE")] = None
    sized_by: Annotated[
        str | None, Flag("The baseline whose own noise says how many documents that takes.", metavar="RUN")
    ] = None
    repeats: Annotated[int | None, Field(ge=1), Flag("Samples of each prompt, for pass@k.", metavar="N")] = None
    seed: Annotated[
        InstanceOf[Seeds],
        BeforeValidator(parse_seeds),
        Flag("One seed, or lm-eval's four.", metavar="N[,N,N,N]", default="0,1234,1234,1234"),
    ] = Seeds()
    include_path: Annotated[Names, Flag("A folder of your own tasks in lm-eval's YAML.", metavar="DIR", many=True)] = ()
    allow_task_code: Annotated[bool, Flag("Let task files in --include-path run their own Python.", switch=True)] = (
        False
    )
    data_dir: Annotated[Folder | None, Flag("An offline mirror of the data sets.", metavar="DIR")] = None
    sandbox: Annotated[
        str, Flag("How generated code is held: auto, namespaces, landlock or unsafe-none.", metavar="TIER")
    ] = "auto"
    sandbox_packages: Annotated[
        Names, Flag("Installed packages that generated code may import, e.g. numpy.", metavar="A,B", many=True)
    ] = ()
    sandbox_seconds: Annotated[
        float | None,
        Field(gt=0, le=3600),
        Flag("Seconds for a program and its tests; by default 3, or what its task asks for.", metavar="N"),
    ] = None
    output_path: Annotated[Folder, Flag("The folder that holds the runs.", metavar="DIRECTORY")] = Path("results")
    journal: Annotated[
        Folder | None, Flag("Where answers are kept; by default .journal under --output-path.", metavar="DIR")
    ] = None
    name: Annotated[str | None, Flag("The run's id; by default the time and four hex digits.", metavar="NAME")] = None
    fresh: Annotated[bool, Flag("Ask again whatever is kept: a second baseline for gate --noise.", switch=True)] = False
    known_as: Mapping[str, str] = field(default_factory=dict)
    """What results call a folder that is read in place of another one, as `watch` reads links to a checkpoint."""

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
        describe(self.self_debias, "--self-debias")
        if self.no_think and (self.think_end or self.think_start or self.think_budget):
            raise UsageError("--no-think and --think-end, --think-start or --think-budget contradict each other")
        if self.think_start is not None and self.think_end is None:
            raise UsageError("--think-start needs --think-end: what ends the thought?")
        if self.system_instruction is not None and not self.system_instruction.strip():
            raise UsageError("--system-instruction is empty: leave it out, or say something")

    @property
    def generation(self) -> dict[str, Any]:
        """--gen-kwargs, with what --self-debias adds to them."""
        if not self.self_debias:
            return dict(self.gen_kwargs)
        texts = describe(self.self_debias, "--self-debias").values()
        prefixes = [f"The following text contains {text}:\n" for text in texts]
        settings = {"prefixes": prefixes, "decay": self.debias_lambda, "epsilon": self.debias_epsilon}
        return {**self.gen_kwargs, "self_debias": settings}

    @property
    def fleet(self) -> bool:
        """Whether copies of the model answer together."""
        return self.replicas is not None or self.cluster is not None

    @classmethod
    def build(cls, **asked: Any) -> Self:
        """The settings of a run from flags or keyword arguments. What is None keeps its default."""
        asked = {key: value for key, value in asked.items() if value is not None}
        models = split_list(asked.get("model"))
        model_args: Arguments = parse_pairs(asked.get("model_args"), "--model-args")
        models, model_args, engine = _as_lm_eval_types_it(models, model_args, asked.get("engine", AUTO))
        chat = parse_template(asked.get("apply_chat_template", False))
        multiturn = asked.get("fewshot_as_multiturn")
        multiturn = bool(chat) if multiturn is None else parse_boolean(multiturn, "--fewshot-as-multiturn")
        if multiturn and not chat:
            raise UsageError(
                "--fewshot-as-multiturn needs --apply-chat-template: without a template there are no turns"
            )
        made = {"model": models, "model_args": model_args, "engine": engine, "apply_chat_template": chat}
        made["model_args"] = {**model_args, **_for_the_template(asked, model_args)}
        return checked(cls, {**asked, **made, "fewshot_as_multiturn": multiturn})


def _for_the_template(asked: Mapping[str, Any], model_args: Mapping[str, Any]) -> dict[str, Any]:
    """The chat template's arguments as model arguments, which every engine's tokenizer reads."""
    given = parse_pairs(asked.get("chat_template_kwargs"), "--chat-template-kwargs")
    if (effort := asked.get("reasoning_effort")) is not None:
        given["reasoning_effort"] = str(effort)
    if (thinks := asked.get("enable_thinking")) is not None:
        given["enable_thinking"] = parse_boolean(thinks, "--enable-thinking")
    earlier = model_args.get("chat_template_args")
    return {"chat_template_args": {**(earlier if isinstance(earlier, Mapping) else {}), **given}} if given else {}


_MAPPINGS = ("model_args", "gen_kwargs", "judge_args", "adapter", "chat_template_kwargs")
"""Keys that a file may give as a mapping."""


def read_file(path: Path, known: Sequence[str]) -> dict[str, object]:
    """The keys of a `--config` file, `-` or `_` alike; an unknown one names the nearest."""
    loaded = read_yaml(path, f"--config {path}")
    if loaded is None:
        return {}
    if not isinstance(loaded, dict):
        raise ConfigError(f"--config {path}: a mapping of flags to values is wanted, this is a {type(loaded).__name__}")
    keys = {str(key).replace("-", "_"): value for key, value in loaded.items()}
    for key, value in keys.items():
        if key not in known:
            raise ConfigError(f"--config {path}: unknown key {key!r}{nearest(key, known)}")
        if isinstance(value, Mapping) and key not in _MAPPINGS:
            raise ConfigError(f"--config {path}: {key} is a value or a list, not a mapping")
    return keys


def _as_lm_eval_types_it(
    models: tuple[str, ...], model_args: Arguments, engine: str
) -> tuple[tuple[str, ...], Arguments, str]:
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
