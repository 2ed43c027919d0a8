"""The benchmark cards in `tasks/`: the task that each wraps, its usual shots, headline, chance level, citation."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evalkit.errors import ConfigError, CouldNotDo, nearest
from evalkit.types import JsonObject
from evalkit.yamlfile import safe_reader

__all__ = ["Card", "Sized", "card_of", "load_cards", "shipped_folder"]

_CARD_KEYS = ("benchmark", "wraps", "folder", "folders", "members", "num_fewshot", "metadata")
_FACT_KEYS = (
    *("headline", "chance", "cluster", "stratum", "description", "citation", "license", "version", "wraps"),
    *("reading", "answers_in", "macro", "sized"),
)


@dataclass(frozen=True, slots=True)
class Sized:
    """`sized:` of a suite: as many documents of each part as find this drop with this power."""

    drop: float = 0.05
    power: float = 0.8
    discordance: float | None = None
    """How often two runs differ on a document; None: not stated."""

    @classmethod
    def read(cls, value: Any, where: str) -> Sized:
        keys = ("drop", "power", "discordance")
        if not isinstance(value, dict) or not set(value) <= set(keys):
            raise ConfigError(f"{where}: sized: a mapping with {', '.join(keys)} is wanted, this is {value!r:.80}")
        for key, number in value.items():
            if isinstance(number, bool) or not isinstance(number, int | float) or not 0 < number < 1:
                raise ConfigError(f"{where}: sized: {key}: a number between 0 and 1 is wanted, this is {number!r:.40}")
        return cls(**value)


@dataclass(frozen=True, slots=True)
class Card:
    name: str
    path: Path | None = None
    wraps: str | None = None
    """The lm-eval task or group behind it; None if evalkit defines it completely."""
    folder: str | None = None
    """Its folder under lm_eval/tasks, so that only this folder need be read."""
    folders: tuple[str, ...] = ()
    """Of a suite: the folders of lm-eval's that its members stand in."""
    members: str | None = None
    """A glob: the names in `folder` to which this card applies too."""
    num_fewshot: int | None = None
    """The usual number of shots, if lm-eval does not set it."""
    headline: str | None = None
    chance: float | None = None
    cluster: str | None = None
    """The document's field that names a source which several documents share."""
    stratum: str | None = None
    """`task`: each member task is a stratum. Otherwise a field of the document."""
    description: str = ""
    citation: str = ""
    license: str = ""
    macro: str | None = None
    """A metric of a group's tasks whose plain mean over the tasks is shown beside the group's own figure."""
    reading: str | None = None
    """The rules by which answers to its reading questions are compared."""
    answers_in: str | None = None
    """`ko`: answers should be in Korean. None: not checked, for example if answers are letters or numbers."""
    sized: Sized | None = None
    """Of a suite: the drop that it is sized to find."""
    elsewhere: bool = False
    """Its tasks are lm-eval's, in folders that the card does not name."""


def shipped_folder() -> Path:
    """The folder `tasks/`, in a checkout or inside the installed package."""
    package = Path(__file__).resolve().parent.parent
    for folder in (package / "_data" / "tasks", package.parent / "tasks"):
        if folder.is_dir():
            return folder
    raise CouldNotDo(f"the shipped task files are missing beside {package}: install evalkit again")


def load_cards(folder: Path) -> dict[str, Card]:
    """All cards by name, and all task and group files whose metadata hold facts of a card."""
    import yaml

    cards: dict[str, Card] = {}
    loader = _facts_loader()
    for path in sorted(folder.glob("**/*.yaml")):
        try:
            raw = yaml.load(path.read_bytes(), Loader=loader)
        except (yaml.YAMLError, OSError) as error:
            raise ConfigError(f"{path}: not valid YAML ({' '.join(str(error).split())})") from None
        if not isinstance(raw, dict):
            continue
        card = _card(raw, path)
        if card is not None:
            cards[card.name] = card
    return cards


def card_of(name: str, metadata: JsonObject, path: Path | None) -> Card | None:
    """The card facts in a task file's metadata. Values of a wrong type are left out."""
    texts = {
        key: metadata[key]
        for key in _FACT_KEYS
        if isinstance(metadata.get(key), str) and key not in ("version", "chance", "sized")
    }
    chance = metadata.get("chance")
    if isinstance(chance, (int, float)) and not isinstance(chance, bool):
        return Card(name=name, path=path, chance=float(chance), **texts)
    return Card(name=name, path=path, **texts) if texts else None


def _card(raw: JsonObject, path: Path) -> Card | None:
    metadata = raw.get("metadata") or {}
    if not isinstance(metadata, dict):
        return None
    facts = {key: metadata[key] for key in _FACT_KEYS if key in metadata and key not in ("version", "wraps")}
    if "sized" in facts:
        facts["sized"] = Sized.read(facts["sized"], str(path))
    if "benchmark" in raw:
        for key in raw:
            if key not in _CARD_KEYS:
                raise ConfigError(f"{path}: unknown key {key!r}{nearest(str(key), _CARD_KEYS)}")
        for key in metadata:
            if key not in _FACT_KEYS:
                raise ConfigError(f"{path}: metadata: unknown key {key!r}{nearest(str(key), _FACT_KEYS)}")
        return Card(
            name=raw["benchmark"],
            path=path,
            wraps=raw.get("wraps", raw["benchmark"]),
            folder=raw.get("folder"),
            members=raw.get("members"),
            num_fewshot=raw.get("num_fewshot"),
            folders=tuple(raw.get("folders") or ()),
            elsewhere="folder" not in raw and "folders" not in raw,
            **facts,
        )
    name = raw.get("group") or raw.get("task")
    if not isinstance(name, str):
        return None
    wraps = metadata.get("wraps")
    folders = tuple(metadata.get("folders") or ())
    return Card(
        name=name,
        path=path,
        wraps=wraps,
        folders=folders,
        num_fewshot=raw.get("num_fewshot"),
        elsewhere="group" in raw and wraps is not None and not folders,
        **facts,
    )


def _facts_loader() -> Any:
    """Reads `!function` as text, so that no code runs."""

    class Loader(safe_reader()):  # type: ignore[misc]
        pass

    Loader.add_multi_constructor("!", lambda loader, suffix, node: getattr(node, "value", None))
    return Loader
