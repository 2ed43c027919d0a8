"""Lenient readings of an answer: without fences, preamble, closing remarks and Markdown."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator

from evalkit.checks.fences import blocks, only_block
from evalkit.checks.outcome import Params

__all__ = ["as_it_is", "block_alone", "eight", "past_thought", "unquoted", "without_talk"]

_PREAMBLE = re.compile(
    r"(?:sure|certainly|of course|okay|ok|absolutely|great|here(?:'s|’s| is| are)|below|the following|this is|"
    r"as requested|summary|answer|translation|물론|네[,.! ]|예[,.! ]|알겠|좋아요|좋습니다|다음은|아래는|아래와|여기|"
    r"요청하신|이메일|요약|번역|답변|정답)",
    re.IGNORECASE,
)
_FAREWELL = re.compile(
    r"(?:(?:i )?hope|let me know|feel free|please let|if you (?:have|need|would|want)|is there anything|note:|"
    r"explanation:|word count|\d+ words|this (?:summary|e-?mail|translation|response)|"
    r"도움이 |더 (?:필요|궁금)|추가로|궁금한|필요하시면|언제든|참고[:：]|설명[:：]|이상입니다|"
    r"글자 ?수|총 ?\d+ ?자|[이위] (?:요약|이메일|번역))",
    re.IGNORECASE,
)
_SURE = r"(?:sure|certainly|of course|absolutely|물론입니다|물론이죠|물론이에요|알겠습니다)"
_NOUN = r"(?:summary|answer|translation|e-?mail|result|output|query|response)"
_SAME_LINE = re.compile(
    rf"(?:{_SURE}[,.!]*[ ]+)?(?:here(?:[’']s| is| are)[^:：\n]{{0,60}}|"
    rf"(?:the |my |your )?(?:[\w-]{{1,20}} ){{0,2}}{_NOUN}(?: is)?|"
    r"(?:[가-힣]{1,10} ){0,2}(?:요약|번역|답변|정답|답|결과)(?:문|은|는|하면|해 드리면)?(?: 다음과 같습니다)?"
    r")[ ]*[:：][ ]*(?=\S)|"
    rf"{_SURE}[,.!]+[ ]+(?=\S)",
    re.IGNORECASE,
)
_RULE = re.compile(r"[ \t]*(?:-{3,}|\*{3,}|_{3,})[ \t]*")
_THOUGHT = re.compile(r"\s*<(think(?:ing)?)>.*?</\1>", re.IGNORECASE | re.DOTALL)
_EMPHASIS = re.compile(r"\*{1,3}|(?<!\w)_{1,3}(?=\S)|(?<=\S)_{1,3}(?!\w)|~~|(?<!`)`(?!`)")
_HEADING = re.compile(r"^[ \t]*#{1,6}[ \t]+", re.MULTILINE)
_QUOTES = {'"': '"', "'": "'", "“": "”", "‘": "’", "「": "」", "『": "』", "《": "》"}


def as_it_is(answer: str, params: Params) -> Iterator[str]:
    """No lenient readings, for checks without leniency, such as a secret that was revealed."""
    yield from ()


def past_thought(answer: str) -> str:
    """The answer after the model's reasoning. If the reasoning never ends, the text is returned unchanged."""
    match = _THOUGHT.match(answer)
    return answer[match.end() :] if match else answer


def without_talk(answer: str, params: Params) -> Iterator[str]:
    """The answer without remarks before and after it, without fence, Markdown marks or quotes."""
    texts = [answer.strip(), *_without_talk(answer.strip())]
    texts += [block.text.strip() for block in blocks(answer)[:1]]
    texts += [_HEADING.sub("", _EMPHASIS.sub("", text)).strip() for text in texts]
    texts += [text[match.end() :] for text in dict.fromkeys(texts) if (match := _SAME_LINE.match(text))]
    for text in list(texts):
        texts += [unquoted(text), unquoted(unicodedata.normalize("NFKC", text))]
    yield from dict.fromkeys(texts)


def block_alone(answer: str, params: Params) -> str:
    """With `fence: true`, the content of an answer that is only one fenced block; else the answer."""
    block = only_block(answer) if params["fence"] else None
    return answer if block is None else block.text


def eight(answer: str) -> Iterator[str]:
    """IFEval's eight readings: whole, or without the first line, the last line, or both; each also without stars."""
    lines = answer.split("\n")
    cut = ["\n".join(kept).strip() for kept in (lines[1:], lines[:-1], lines[1:-1])]
    yield answer
    yield answer.replace("*", "")
    yield from cut
    yield from (text.replace("*", "") for text in cut)


def _without_talk(text: str) -> Iterator[str]:
    """The text without up to two lines of remarks before and after the answer."""
    lines = _without_rules(text.splitlines())
    yield "\n".join(lines).strip()
    for _ in range(2):
        rest = lines
        if len(rest) > 1 and (rest[0].rstrip(" *").endswith((":", "：")) or _PREAMBLE.match(rest[0].lstrip(" *#"))):
            rest = _without_rules(rest[1:])
        if len(rest) > 1 and _FAREWELL.match(rest[-1].lstrip(" *#(")):
            rest = _without_rules(rest[:-1])
        if rest == lines:
            return
        lines = rest
        yield "\n".join(lines).strip()


def _without_rules(lines: list[str]) -> list[str]:
    """The lines without empty lines and rules at the beginning and the end."""
    kept = [number for number, line in enumerate(lines) if line.strip() and not _RULE.fullmatch(line)]
    return lines[kept[0] : kept[-1] + 1] if kept else []


def unquoted(text: str) -> str:
    if len(text) > 1 and _QUOTES.get(text[0]) == text[-1]:
        return text[1:-1].strip()
    return text
