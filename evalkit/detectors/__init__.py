"""Detectors decide for each answer whether it refuses, insults, or has another property.

    refusal               string matching, English and Korean
    toxicity              word lists: each answer by the list of its script
    profanity-en          an English word list (the package badwords-py)
    profanity-ko          a Korean word list (the package korcen)
    classifier:DIR[#A+B]  any transformers classifier, by folder or hub id; behind # the labels that count as found
    truthfulqa[:DIR]      answers to TruthfulQA's questions that are nearer to a true reference than to a false one

More come from installed packages through the entry-point group `evalkit.detectors`: a function that takes what stands
behind the colon and gives a `Detector`. A judge with a rubric is one too (`judge:RUBRIC`), and so is
`self-consistency`, which asks a judge whether the other answers to a prompt say the same; evalkit/runner opens them.
"""

from __future__ import annotations

from collections.abc import Callable
from types import FunctionType

from evalkit.detectors.detector import Detection, Detector, DetectorInfo, RatedAnswer
from evalkit.errors import PluginError, UsageError, nearest
from evalkit.plugins import PluginGroup

__all__ = ["GROUP", "Detection", "Detector", "DetectorInfo", "RatedAnswer", "detector_named", "names"]

GROUP = "evalkit.detectors"

DETECTORS: PluginGroup[FunctionType] = PluginGroup(
    GROUP,
    FunctionType,
    shipped={
        "refusal": "evalkit.detectors.refusal:make",
        "toxicity": "evalkit.detectors.toxicity:make",
        "profanity-en": "evalkit.detectors.wordlists:make_english",
        "profanity-ko": "evalkit.detectors.wordlists:make_korean",
        "classifier": "evalkit.detectors.classifier:make",
        "truthfulqa": "evalkit.detectors.truthfulqa:make",
    },
)


def names() -> list[str]:
    """The names of all installed detectors, without the judges."""
    return list(DETECTORS.declared())


def detector_named(typed: str) -> Detector:
    """The detector behind `name` or `name:setting`. Imports its package; a model is loaded when it is first used."""
    name, _, setting = typed.partition(":")
    installed = names()
    if name not in installed:
        raise UsageError(
            f"--detector {typed}: there is {', '.join(installed)} and judge:RUBRIC{nearest(name, installed)}"
        )
    make: Callable[[str], object] = DETECTORS.find(name)
    detector = make(setting)
    if not isinstance(detector, Detector):
        title = DETECTORS.declared()[name].title
        raise PluginError(f"plug-in {title}: it gave a {type(detector).__name__}, and a detector is wanted")
    return detector
