"""The table of instructions: the name of each, its rule, and the arguments that it needs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from evalkit.checks.ifeval import cases, keywords, layout, lengths
from evalkit.checks.outcome import Params
from evalkit.errors import nearest

__all__ = ["RULES", "Rule", "follows", "rule_of"]

Check = Callable[[str, Params], bool]


@dataclass(frozen=True, slots=True)
class Rule:
    check: Check
    needs: tuple[str, ...] = ()


RULES: Mapping[str, Rule] = {
    "keywords:existence": Rule(keywords.existence, ("keywords",)),
    "keywords:frequency": Rule(keywords.frequency, ("keyword", "frequency", "relation")),
    "keywords:forbidden_words": Rule(keywords.forbidden, ("forbidden_words",)),
    "keywords:letter_frequency": Rule(keywords.letter_frequency, ("letter", "let_frequency", "let_relation")),
    "language:response_language": Rule(cases.response_language, ("language",)),
    "length_constraints:number_sentences": Rule(lengths.number_sentences, ("num_sentences", "relation")),
    "length_constraints:number_paragraphs": Rule(lengths.number_paragraphs, ("num_paragraphs",)),
    "length_constraints:number_words": Rule(lengths.number_words, ("num_words", "relation")),
    "length_constraints:nth_paragraph_first_word": Rule(
        lengths.nth_paragraph_first_word, ("num_paragraphs", "nth_paragraph", "first_word")
    ),
    "detectable_content:number_placeholders": Rule(layout.number_placeholders, ("num_placeholders",)),
    "detectable_content:postscript": Rule(layout.postscript, ("postscript_marker",)),
    "detectable_format:number_bullet_lists": Rule(layout.number_bullet_lists, ("num_bullets",)),
    "detectable_format:constrained_response": Rule(layout.constrained_response),
    "detectable_format:number_highlighted_sections": Rule(layout.number_highlighted_sections, ("num_highlights",)),
    "detectable_format:multiple_sections": Rule(layout.multiple_sections, ("section_spliter", "num_sections")),
    "detectable_format:json_format": Rule(layout.json_format),
    "detectable_format:title": Rule(layout.title),
    "combination:two_responses": Rule(cases.two_responses),
    "combination:repeat_prompt": Rule(cases.repeat_prompt, ("prompt_to_repeat",)),
    "startend:end_checker": Rule(cases.end_checker, ("end_phrase",)),
    "startend:quotation": Rule(cases.quotation),
    "change_case:capital_word_frequency": Rule(cases.capital_word_frequency, ("capital_frequency", "capital_relation")),
    "change_case:english_capital": Rule(cases.english_capital),
    "change_case:english_lowercase": Rule(cases.english_lowercase),
    "punctuation:no_comma": Rule(cases.no_comma),
}


def rule_of(instruction: str) -> Rule:
    if instruction not in RULES:
        raise ValueError(f"IFEval has no instruction {instruction!r}{nearest(instruction, RULES)}")
    return RULES[instruction]


def follows(instruction: str, response: str, kwargs: Params) -> bool:
    """Whether a response follows an instruction; an empty one never does. ValueError if arguments are missing."""
    rule = rule_of(instruction)
    absent = [name for name in rule.needs if kwargs.get(name) is None]
    if absent:
        raise ValueError(f"{instruction} is not told its {', '.join(absent)}")
    return bool(response.strip()) and rule.check(response, kwargs)
