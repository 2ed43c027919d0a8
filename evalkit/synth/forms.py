"""Finds instances whose answer does not have the form that the task asks for."""

from __future__ import annotations

import json
import re

from evalkit.synth.filters import loops
from evalkit.synth.media import needs_media
from evalkit.synth.scripts import main_script, syllables
from evalkit.synth.seeds import Instance

__all__ = ["misfit"]

_JSON = re.compile(r"(?<![a-z])json(?![a-z])", re.IGNORECASE)
_TRANSLATES = re.compile(r"translat|번역|영어로|한국어로|in [A-Z][a-z]+(?:ese|ish|an)\b|일본어로|중국어로")
_CODE = re.compile(r"```|\bdef |\bSELECT\b|[{};]\s*$|</\w+>|^\s*[\d\s.,:/+*=()%$-]+$", re.MULTILINE)
_PLACEHOLDER = re.compile(
    r"\[(?:insert|your|name|company|date|이름|회사|날짜|입력)[^\]]{0,30}\]|<(?:no ?input|input|output|입력|출력)>|\{\{",
    re.IGNORECASE,
)
_REFUSES = re.compile(
    r"\bas an? (?:ai|language model)\b|\bI(?:'m| am) (?:sorry|unable)\b|\bI can(?:no|')t\b"
    r"|(?:AI|인공지능|언어) ?모델(?:로서|이기|이라)|죄송(?:합니다|하지만)|도와드릴 수 없",
    re.IGNORECASE,
)
_LABEL_WORDS = 12
"""An answer to a classification task is a label, not an essay."""


def misfit(instruction: str, instance: Instance, is_classification: bool) -> str | None:
    """The reason why an instance cannot be used, or None."""
    output = instance.output.strip()
    if not output:
        return "empty answer"
    if output == instance.input.strip() or output == instruction.strip():
        return "answer repeats the question"
    if output.endswith((":", "\uff1a")) or instance.input.rstrip().endswith((":", "\uff1a")):
        return "cut answer"
    if _PLACEHOLDER.search(output) or _PLACEHOLDER.search(instance.input):
        return "placeholder"
    if _REFUSES.search(output):
        return "refusal"
    if needs_media(instance.input) and not instance.input.count(" ") > 12:
        return "media"
    if loops(syllables(output)):
        return "repetition"
    if _JSON.search(instruction) and not _is_json(output):
        return "form"
    if is_classification and len(output.split()) > _LABEL_WORDS:
        return "form"
    return "language" if _other_language(instruction, output) else None


def _is_json(text: str) -> bool:
    inner = re.sub(r"^```\w*\s*|\s*```$", "", text.strip())
    try:
        json.loads(inner)
    except (ValueError, RecursionError):
        return False
    return True


def _other_language(instruction: str, output: str) -> bool:
    """Whether a longer answer is in another script although the task asks for no other language or code."""
    if len(output.split()) < 4 or _TRANSLATES.search(instruction) or _CODE.search(output):
        return False
    asked, answered = main_script(instruction), main_script(output)
    return bool(asked and answered) and asked != answered and any(map(str.isalpha, output))
