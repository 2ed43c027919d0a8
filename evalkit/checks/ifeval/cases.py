"""Rules on language, case, punctuation, quotation, beginnings and ends, and repetition."""

from __future__ import annotations

from evalkit.checks.ifeval.keywords import compare
from evalkit.checks.ifeval.language import is_language
from evalkit.checks.ifeval.words import tokens
from evalkit.checks.outcome import Params

__all__ = [
    "capital_word_frequency",
    "end_checker",
    "english_capital",
    "english_lowercase",
    "no_comma",
    "quotation",
    "repeat_prompt",
    "response_language",
    "two_responses",
]


def response_language(response: str, kwargs: Params) -> bool:
    return is_language(response, kwargs["language"])


def english_capital(response: str, kwargs: Params) -> bool:
    return response.isupper() and is_language(response, "en")


def english_lowercase(response: str, kwargs: Params) -> bool:
    return response.islower() and is_language(response, "en")


def capital_word_frequency(response: str, kwargs: Params) -> bool:
    count = sum(token.isupper() for token in tokens(response))
    return compare(count, kwargs["capital_relation"], kwargs["capital_frequency"])


def no_comma(response: str, kwargs: Params) -> bool:
    return "," not in response


def quotation(response: str, kwargs: Params) -> bool:
    text = response.strip()
    return len(text) > 1 and text[0] == text[-1] == '"'


def end_checker(response: str, kwargs: Params) -> bool:
    return response.strip().strip('"').lower().endswith(kwargs["end_phrase"].strip().lower())


def repeat_prompt(response: str, kwargs: Params) -> bool:
    return response.strip().lower().startswith(kwargs["prompt_to_repeat"].strip().lower())


def two_responses(response: str, kwargs: Params) -> bool:
    """Whether there are two different responses, separated by six stars; empty parts may only be at the ends."""
    parts = response.split("******")
    responses = [part.strip() for part in parts if part.strip()]
    inner = all(part.strip() for part in parts[1:-1])
    return inner and len(responses) == 2 and responses[0] != responses[1]
