"""Prompts that ask whether a task is a classification and for its instances, and the reading of their answers."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from evalkit.synth.seeds import Instance, Seed
from evalkit.synth.wording import ENGLISH, KOREAN, Wording

__all__ = ["asks_for_class", "asks_for_instances", "read_class", "read_instances", "usable"]

_SHOWN = 4
"""Seeds that a prompt shows with their instances."""

_KNOWN: dict[str, tuple[tuple[str, bool], ...]] = {
    ENGLISH.task: (
        ("Say whether the tone of this letter is angry, neutral or glad.", True),
        ("Tell a short story in which a lighthouse is sold.", False),
        ("Does the second sentence follow from the first? Answer true or false.", True),
        ("Shorten this paragraph to two sentences.", False),
        ("To which of these four departments should the request be sent?", True),
        ("Explain to a child why the sea is salty.", False),
    ),
    KOREAN.task: (
        ("다음 후기의 분위기가 긍정적인지 부정적인지 고르세요.", True),
        ("비 오는 날을 소재로 짧은 이야기를 쓰세요.", False),
        ("두 문장의 뜻이 같은지 다른지 답하세요.", True),
        ("다음 문단을 두 문장으로 줄이세요.", False),
        ("이 문의를 어느 부서로 보내야 하는지 네 부서 가운데 고르세요.", True),
        ("바닷물이 왜 짠지 어린이에게 설명하세요.", False),
    ),
}
_BY_LABEL: dict[str, tuple[str, tuple[tuple[str, str], ...]]] = {
    ENGLISH.task: (
        "Say whether the sentence is a question or a statement.",
        (("question", "Where did you leave the keys"), ("statement", "The keys are on the table")),
    ),
    KOREAN.task: (
        "다음 문장이 질문인지 평서문인지 고르세요.",
        (("질문", "열쇠를 어디에 두었어"), ("평서문", "열쇠는 책상 위에 있다")),
    ),
}


def asks_for_class(instruction: str, words: Wording) -> str:
    """The prompt that asks whether a task is a classification, after examples of both kinds."""
    lines = [words.classify, ""]
    for task, yes in _KNOWN[words.task]:
        lines += [f"{words.task}: {task}", f"{words.answer_mark} {words.yes if yes else words.no}", ""]
    return "\n".join([*lines, f"{words.task}: {instruction.strip()}", words.answer_mark])


def read_class(text: str, words: Wording) -> bool:
    """Whether the answer begins with the word for yes. Whatever else counts as no, as in the original."""
    return text.strip().lstrip("*\"' ").casefold().startswith(words.yes.casefold())


def asks_for_instances(
    instruction: str, is_classification: bool, seeds: Sequence[Seed], words: Wording, most: int
) -> str:
    """The prompt that asks for instances: input first; of a classification label first, so that none is left out."""
    heading = words.by_label if is_classification else words.answer
    if most > 1:
        heading = words.by_labels if is_classification else words.answers
    lines = [heading, ""]
    if is_classification:
        task, examples = _BY_LABEL[words.task]
        lines.append(f"{words.task}: {task}")
        for label, given in examples[: max(1, most)]:
            lines += [f"{words.label}: {label}", given]
        lines.append("")
    shown = [seed for seed in seeds if seed.is_classification == is_classification and _answered(seed)][:_SHOWN]
    for seed in shown:
        lines += [f"{words.task}: {seed.instruction.strip()}", *_shown(seed, words, most), ""]
    return "\n".join([*lines, f"{words.task}: {instruction.strip()}", ""])


def _answered(seed: Seed) -> bool:
    return any(instance.output.strip() for instance in seed.instances)


def _shown(seed: Seed, words: Wording, most: int) -> Iterable[str]:
    instances = [instance for instance in seed.instances if instance.output.strip()][:most]
    for number, instance in enumerate(instances, 1):
        if seed.is_classification:
            yield f"{words.label}: {instance.output.strip()}"
            if instance.input.strip():
                yield instance.input.strip()
            continue
        if most > 1 and len(instances) > 1:
            yield f"Example {number}"
        if instance.input.strip():
            yield f"{words.input}: {instance.input.strip()}"
        yield f"{words.output}: {instance.output.strip()}"


def read_instances(text: str, finish: str | None, is_classification: bool, words: Wording) -> list[Instance]:
    """The instances of an answer, in order. The last one of a cut answer is dropped."""
    text = text.strip().replace("**", "")
    instances = _by_label(text, words) if is_classification else _by_input(text, words)
    return instances[:-1] if finish == "length" else instances


def _by_input(text: str, words: Wording) -> list[Instance]:
    output = _mark(words.output, ENGLISH.output)
    if re.search(r"Example\s?\d*\.?", text) and words.task == ENGLISH.task:
        parts = [part.strip() for part in re.split(r"Example\s?\d*\.?", text)]
        return [_pair(part, words) for part in parts if part]
    return [_pair(text, words)] if output.search(text) else []


def _pair(text: str, words: Wording) -> Instance:
    """Input and output of one example. A second pair behind it is left out."""
    given, output = _mark(words.input, ENGLISH.input), _mark(words.output, ENGLISH.output)
    parts = output.split(text)
    if len(parts) > 1:
        before, answer = parts[0].strip(), parts[1].strip()
    else:
        before, answer = "", text.strip()
    answer = given.split(answer)[0].strip()
    return Instance(re.sub(rf"^{given.pattern}", "", before).strip(), answer)


def _by_label(text: str, words: Wording) -> list[Instance]:
    parts = _mark(words.label, ENGLISH.label).split(text)[1:]
    instances = []
    for part in parts:
        label, _, given = part.strip().partition("\n")
        mark = _mark(words.input, ENGLISH.input)
        instances.append(Instance(re.sub(rf"^{mark.pattern}", "", given.strip()).strip(), label.strip()))
    return instances


def _mark(word: str, also: str) -> re.Pattern[str]:
    return re.compile(rf"(?:{re.escape(word)}|{re.escape(also)})\s*\d*\s*:")


def usable(instances: Sequence[Instance], most: int) -> list[Instance]:
    """The instances without empty, repeated or cut ones; none where one input has different outputs."""
    good = [
        instance
        for instance in dict.fromkeys(instances)
        if instance.output
        and instance.input != instance.output
        and not instance.input.endswith(":")
        and not instance.output.endswith(":")
    ]
    outputs: dict[str, str] = {}
    for instance in good:
        if instance.input and outputs.setdefault(instance.input, instance.output) != instance.output:
            return []
    return good[:most]
