"""Rules on layout: bullets, highlights, sections, titles, placeholders, postscripts, JSON.

They search line by line or mark by mark, so that even a long response of nothing but stars takes linear time.
"""

from __future__ import annotations

import json
import re

from evalkit.checks.outcome import Params

__all__ = [
    "constrained_response",
    "json_format",
    "multiple_sections",
    "number_bullet_lists",
    "number_highlighted_sections",
    "number_placeholders",
    "postscript",
    "title",
]


_ANSWERS = ("My answer is yes.", "My answer is no.", "My answer is maybe.")


def number_bullet_lists(response: str, kwargs: Params) -> bool:
    lines = [line.lstrip() for line in response.split("\n")]
    return _stars(lines) + sum(line.startswith("-") for line in lines) == int(kwargs["num_bullets"])


def _stars(lines: list[str]) -> int:
    """The number of lines that begin with one star. A star alone on its line counts together with the next line."""
    count, place = 0, 0
    while place < len(lines):
        line = lines[place]
        if line == "*" and place + 1 < len(lines):
            count, place = count + 1, place + 1
        elif line.startswith("*") and len(line) > 1 and line[1] != "*":
            count += 1
        place += 1
    return count


def number_highlighted_sections(response: str, kwargs: Params) -> bool:
    """Whether there are enough highlights, `*once*` or `**twice**`; empty ones do not count."""
    once = re.findall(r"\*([^\n*]*)\*", response)
    twice = re.findall(r"\*\*([^\n*]*)\*\*", response)
    return sum(bool(text.strip()) for text in (*once, *twice)) >= int(kwargs["num_highlights"])


def multiple_sections(response: str, kwargs: Params) -> bool:
    sections = re.findall(rf"{kwargs['section_spliter'].strip()}\s?\d+", response)
    return len(sections) >= int(kwargs["num_sections"])


def title(response: str, kwargs: Params) -> bool:
    return any(_titled(line) for line in response.split("\n"))


def _titled(line: str) -> bool:
    """Whether there is text between the line's first << and its last >>."""
    start, end = line.find("<<"), line.rfind(">>")
    if start < 0 or end < start + 3:
        return False
    return bool(line[start : end + 2].lstrip("<").rstrip(">").strip())


def number_placeholders(response: str, kwargs: Params) -> bool:
    return sum(map(_brackets, response.split("\n"))) >= int(kwargs["num_placeholders"])


def _brackets(line: str) -> int:
    count, place = 0, 0
    while (start := line.find("[", place)) >= 0 and (end := line.find("]", start)) >= 0:
        count, place = count + 1, end + 1
    return count


def postscript(response: str, kwargs: Params) -> bool:
    marker = kwargs["postscript_marker"].strip()
    pattern = {"P.P.S": r"p\.\s?p\.\s?s", "P.S.": r"p\.\s?s\."}.get(marker, marker.lower())
    return re.search(pattern, response.lower()) is not None


def constrained_response(response: str, kwargs: Params) -> bool:
    return any(answer in response for answer in _ANSWERS)


def json_format(response: str, kwargs: Params) -> bool:
    """Whether the response is JSON. A fence around it is allowed, and NaN, which Python's reader accepts."""
    text = response.strip()
    for opening in ("```json", "```Json", "```JSON", "```"):
        text = text.removeprefix(opening)
    try:
        json.loads(text.removesuffix("```").strip())
    except (ValueError, RecursionError):
        return False
    return True
