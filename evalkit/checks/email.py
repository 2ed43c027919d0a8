"""Checks formal emails in English and Korean: their parts, and the tone of their sentences."""

from __future__ import annotations

import re
from dataclasses import dataclass

from evalkit.checks.outcome import Complaint, Kind, Param, Params
from evalkit.checks.politeness import rude_sentence
from evalkit.checks.readings import without_talk
from evalkit.checks.text import words

__all__ = ["KINDS", "PARTS", "Email", "read_email"]

PARTS = ("subject", "greeting", "body", "closing", "signature")

_SUBJECT = re.compile(
    r"[ \t]*(?:(?:subject|re|제목|메일 제목|이메일 제목)[ \t]*[:：]|\[(?:subject|제목)\][:：]?)[ \t]*(\S.*)",
    re.IGNORECASE,
)
_HEADER = re.compile(
    r"[ \t]*(?:to|from|cc|bcc|date|받는 ?사람|보내는 ?사람|수신|발신|참조|날짜)[ \t]*[:：]", re.IGNORECASE
)
_GREETING = {
    "en": re.compile(
        r"(?:dear|hello|hi|good (?:morning|afternoon|evening|day)|to whom it may concern|greetings|"
        r"respected|esteemed)\b"
        r"|(?:to the|mr|mrs|ms|dr|prof|professor)\b.{0,60}[,:]$",
        re.I,
    ),
    "ko": re.compile(
        r"안녕하|존경하는|친애하는|.{0,40}(?:귀하|귀중|님께|께|님)[,.，、:]?\s*$|.{0,40}(?:님|께|귀하)[,，]"
    ),
}
_CLOSING = {
    "en": re.compile(
        r"(?:(?:very truly )?yours|yours? (?:very )?(?:sincerely|faithfully|truly|respectfully)|(?:most )?sincerely|"
        r"(?:with )?(?:best|kind|warm|kindest|warmest) (?:regards|wishes)|"
        r"regards|respectfully|cordially|warmly|gratefully|best|"
        r"with (?:best |kind |warm |sincere |deep |much |many )?(?:regards|respect|appreciation|gratitude|thanks)|"
        r"all the best|looking forward to .{1,80}|"
        r"many thanks|thanks|"
        r"thank you(?: (?:very much|for .{0,80}))?)(?: yours| again| in advance)?[ ]?[,.!]?$",
        re.IGNORECASE,
    ),
    "ko": re.compile(
        r".*(?:감사합니다|고맙습니다|감사드립니다|드림|올림|배상|부탁드립니다|부탁드리겠습니다|기원합니다)[.!]?$"
    ),
}
_SIGNED_BESIDE = re.compile(
    r"^([ \t]*(?:(?:best|kind|warm|kindest|warmest) regards|regards|(?:yours )?sincerely|best),)[ \t]+"
    r"(\[?[A-Z][\w.'’-]*\]?(?: [\w.'’\]-]+){0,3})[ \t]*$",
    re.IGNORECASE | re.MULTILINE,
)
_RULE = re.compile(r"[-*_=]{3,}")
_SIGNED = re.compile(r".*\S\s*(?:드림|올림|배상)[.]?$|\S+(?:드림|올림|배상)$")
_MAX_SIGNATURE = 80


@dataclass(frozen=True, slots=True)
class Email:
    subject: str
    greeting: str
    body: str
    closing: str
    signature: str


def read_email(text: str, language: str) -> Email:
    """Split an email into its parts; missing parts are empty."""
    text = _SIGNED_BESIDE.sub(r"\1\n\2", text) if language == "en" else text
    lines = [line.strip() for line in text.splitlines() if line.strip() and not _RULE.fullmatch(line.strip())]
    subject, rest = "", list[str]()
    for line in lines:
        if not subject and (match := _SUBJECT.match(line)):
            subject = match.group(1).strip()
        elif not _HEADER.match(line) or rest:
            rest.append(line)
    greeting = rest[0] if rest and _GREETING[language].match(rest[0]) else ""
    inside = rest[1:] if greeting else rest
    place = _closing_place(inside, language)
    body = inside if place is None else inside[:place]
    closing = inside[place] if place is not None else ""
    after = inside[place + 1 :] if place is not None else []
    signature = " ".join(line for line in after if len(line) <= _MAX_SIGNATURE)
    if language == "ko" and not signature and closing and _SIGNED.match(closing):
        # `홍길동 드림` is closing and signature in one.
        signature = closing
    if greeting and language == "ko" and not body:
        body = [greeting] if len(words(greeting)) > 4 else []
    return Email(subject, greeting, "\n".join(body), closing, signature)


def _closing_place(lines: list[str], language: str) -> int | None:
    """The position of the closing: the last closing line, or in Korean the one before a signature line."""
    places = [n for n, line in enumerate(lines) if _CLOSING[language].match(line) or _ends_in_thanks(line, language)]
    if not places:
        return None
    if language == "ko" and _SIGNED.match(lines[places[-1]]) and len(places) > 1 and places[-1] == places[-2] + 1:
        return places[-2]
    return places[-1]


def _ends_in_thanks(line: str, language: str) -> bool:
    return language == "ko" and line.endswith(("감사합니다.", "감사합니다", "감사드립니다."))


def _judge(answer: str, params: Params) -> Complaint:
    email = read_email(answer, params["language"])
    absent = [part for part in params["parts"] if not getattr(email, part)]
    if absent:
        return f"no {', '.join(absent)}"
    if "body" in params["parts"] and len(words(email.body)) < params["min_body_words"]:
        return f"{len(words(email.body))} words in the body, at least {params['min_body_words']} wanted"
    missing = [text for text in params["mentions"] if text.casefold() not in answer.casefold()]
    if missing:
        return f"{', '.join(missing)} is not mentioned"
    if params["register"] == "formal":
        rude = rude_sentence("\n".join((email.greeting, email.body, email.closing)), params["language"], formal=True)
        if rude:
            return f"not formal: {rude}"
    return None


def _parts(value: list[str]) -> str | None:
    strange = [part for part in value if part not in PARTS]
    return f"{strange[0]!r} is none of {', '.join(PARTS)}" if strange or not value else None


_TEXTS = Param((list, tuple), (), lambda v: None if all(isinstance(t, str) for t in v) else "a list of texts is wanted")

KINDS = (
    Kind(
        "email",
        "an email with these parts, in a formal tone",
        _judge,
        without_talk,
        {
            "language": Param((str,), choices=("en", "ko")),
            "parts": Param((list, tuple), PARTS, lambda v: _parts(v) if v else "a list of parts is wanted"),
            "register": Param((str,), "formal", choices=("formal", "any")),
            "min_body_words": Param((int,), 5),
            "mentions": _TEXTS,
        },
    ),
)
