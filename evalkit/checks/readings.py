"""How a careful person would read an answer: past the fence, the preamble, the farewell and the Markdown stars."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator

from evalkit.checks.fences import blocks, only_block
from evalkit.checks.outcome import Params

__all__ = ["as_it_is", "block_alone", "eight", "without_talk"]

_PREAMBLE = re.compile(
    r"(?:sure|certainly|of course|okay|ok|absolutely|great|here(?:'s|’s| is| are)|below|the following|this is|"
    r"as requested|summary|answer|translation|물론|네[,.! ]|예[,.! ]|알겠|좋아요|좋습니다|다음은|아래는|아래와|여기|"
    r"요청하신|이메일|요약|번역|답변|정답)",
    re.IGNORECASE,
)
_FAREWELL = re.compile(
    r"(?:(?:i )?hope|let me know|feel free|please let|if you (?:have|need|would|want)|is there anything|note:|"
    r"도움이 |더 (?:필요|궁금)|추가로|궁금한|필요하시면|언제든|참고[:：]|이상입니다)",
    re.IGNORECASE,
)
_EMPHASIS = re.compile(r"\*{1,3}|(?<!\w)_{1,3}(?=\S)|(?<=\S)_{1,3}(?!\w)|~~|(?<!`)`(?!`)")
_HEADING = re.compile(r"^[ \t]*#{1,6}[ \t]+", re.MULTILINE)
_QUOTES = {'"': '"', "'": "'", "“": "”", "‘": "’", "「": "」", "『": "』", "《": "》"}


def as_it_is(answer: str, params: Params) -> Iterator[str]:
    """No leniency: for what must not be excused, such as a secret that was told."""
    yield from ()


def without_talk(answer: str, params: Params) -> Iterator[str]:
    """What is left when a line of talk before and after, a fence, Markdown's marks or quotes around it are gone."""
    found = [answer.strip()]
    found.append(_without_talk(found[-1]))
    found += [block.text.strip() for block in blocks(answer)[:1]]
    for text in list(found):
        bare = _HEADING.sub("", _EMPHASIS.sub("", text)).strip()
        found += [bare, _unquoted(bare), _unquoted(unicodedata.normalize("NFKC", bare))]
    yield from dict.fromkeys(found)


def block_alone(answer: str, params: Params) -> str:
    """With `fence: true` the strict reading takes one fenced block and nothing else; so it may be asked for."""
    block = only_block(answer) if params["fence"] else None
    return answer if block is None else block.text


def eight(answer: str) -> Iterator[str]:
    """IFEval's: without the first line, the last, both; each also without Markdown's stars."""
    lines = answer.split("\n")
    cut = ["\n".join(kept).strip() for kept in (lines[1:], lines[:-1], lines[1:-1])]
    yield answer
    yield answer.replace("*", "")
    yield from cut
    yield from (text.replace("*", "") for text in cut)


def _without_talk(text: str) -> str:
    lines = text.splitlines()
    if len(lines) > 1 and (lines[0].rstrip(" *").endswith((":", "：")) or _PREAMBLE.match(lines[0].lstrip(" *#"))):
        lines = lines[1:]
    if len(lines) > 1 and _FAREWELL.match(lines[-1].lstrip(" *#(")):
        lines = lines[:-1]
    return "\n".join(lines).strip()


def _unquoted(text: str) -> str:
    if len(text) > 1 and _QUOTES.get(text[0]) == text[-1]:
        return text[1:-1].strip()
    return text
