"""How judges write scores, as patterns. What is done with them stands in replies.py."""

from __future__ import annotations

import re

__all__ = [
    "ASSIGN",
    "BARE",
    "BETWEEN",
    "BRACKETED",
    "COMPARED",
    "CONDITIONAL",
    "CONTRAST",
    "DENIED",
    "DIGITS",
    "ENDS_CLAUSE",
    "FIRST_LINE",
    "GIVEN",
    "IS_A",
    "KEY",
    "KEYED",
    "KOREAN",
    "KOREAN_NAMED",
    "KOREAN_STARS",
    "LABELLED",
    "LONGEST_SENTENCE",
    "LONG_RUN",
    "NAMED_SCALE",
    "NEGATED",
    "NUMBER",
    "OUT_OF_TEXT",
    "RANGE_NEXT",
    "REFUSAL",
    "RESPECT",
    "REVERSED",
    "STARS",
    "THINK",
    "WORDS",
    "YES",
    "YES_FIRST",
    "YES_KEYED",
]

WORDS = {word: n for n, word in enumerate("zero one two three four five six seven eight nine ten".split())}  # noqa: SIM905
DIGITS = str.maketrans("０１２３４５６７８９．：／－｜①②③④⑤⑥⑦⑧⑨", "0123456789.:/-|123456789")
_WORD = "|".join(WORDS)
NUMBER = rf"(?<![\w.,/\-–~])[+-]?(?:\d+(?:\.\d+)?|(?:{_WORD})\b)(?!\d|[.,٫·_]\d|[eE][+-]?\d|\s?%|(?:st|nd|rd|th)\b)"
# What makes a number one end of a range, or one of several: 3-4, 3 (fair) to 4, 3 or maybe a 4, 3점에서 4점, 4, 5.
RANGE_NEXT = re.compile(
    r"[*_`]*(?:\s{0,3}\([^()\n]{0,40}\))?(?:\s{0,3}점)?\s{0,3}"
    r"(?:[-–~]|to\b|에서|부터|또는|이나|혹은|,?\s{0,3}\(?(?:or|maybe|perhaps|possibly|if not)\b)\s{0,3}"
    rf"(?:(?:maybe|perhaps|even|possibly)\s+)?(?:an?\s+)?[*_`]*(?:\d|(?:{_WORD})\b)"
    r"|[*_`]*\?|[*_`]*\s{0,3}[,;]\s{0,3}[+-]?\d+(?:\.\d+)?[\s.*_`]*(?:\n|\Z)",
    re.IGNORECASE,
)
OUT_OF = (
    r"(?:[*_`]*\s*(?:\(\s*)?(?:/|out\s+of(?:\s+a\s+possible)?|of|on\s+a\s+scale\s+of\s+\d+\s*(?:-|–|to))\s*[*_`]*"
    r"(?P<top>\d+(?:\.\d+)?|three|four|five|seven|ten)(?!\d)\)?)"
)
TAIL = r"(?:\s*(?:points?|stars?|점(?:입니다|이다|이에요|\s*정도(?:입니다)?|을\s*(?:드립니다|줍니다|부여합니다))?))?"

# ── numbers with nothing much around them ────────────────────────────────────

KEY = r"(?:score|rating|rate|grade|verdict|mark|points?|answer|overall|점수|평점|별점|등급|평가|총점|총평|결론)"
ASSIGN = (
    r"(?:\s{0,3}\([^()\n]{0,60}\))?[*_`\"']*\s{0,3}"
    r"(?:is\s{0,3}:?|would\s+be|[:=–—]|-{1,2}>?|→|은|는)(?:\s{0,3}<[a-z]+>)?[\s*_`\"'\[(<]*"
)
_TAGGED = r"\[(?:result|score|rating|verdict|결과|점수)\]"
# `<` opens a tag here, and is no `less than`.
_LEAD = (
    rf"(?:[\s*_`\"'\[(#$≈,:-]|<[a-z]+>|<(?=[\d.]+>)|\\boxed\{{|{_TAGGED}|"
    r"(?:about|around|roughly|approximately|rather|but|instead|overall|an?|약|대략)\b)*"
)
BARE = re.compile(
    rf"{_LEAD}(?P<n>{NUMBER}){OUT_OF}?\ufe0f?\u20e3?{TAIL}(?:</[a-z]+>|[\s*_`\"'\])}}$>.,;!])*", re.IGNORECASE
)
BRACKETED = re.compile(rf"{_TAGGED}\s*:?[\s*_`\"'\[(]*(?P<n>{NUMBER}){OUT_OF}?", re.IGNORECASE)
LABELLED = re.compile(rf"[\s*_`]*[^\W\d_]{{2,20}}(?: [^\W\d_]{{2,20}})?\s*\((?P<n>{NUMBER}){OUT_OF}?\)[\s*_`.]*")
KEYED = re.compile(rf"(?P<key>(?:[^\W\d_][\w '&/-]{{0,40}}?)?){ASSIGN}(?P<n>{NUMBER}){OUT_OF}?", re.IGNORECASE)
FIRST_LINE = re.compile(
    rf"\s*[*_`\"'\[(]*(?P<n>{NUMBER}){OUT_OF}?{TAIL}[*_`\"'\])]*\s*(?P<end>[.:;,–—(-]\s|\n|\(|(?:because|since)\b)",
    re.IGNORECASE,
)
STARS = re.compile(r"(?:[^\W\d_][\w ]{0,30}\s*[:=])?[\s*_`:]*(?P<full>(?:★|⭐️?)+)(?P<empty>☆*)[\s*_`.!]*")
_YES = r"(?:(?P<yes>yes|true|예|네|그렇습니다)|no|false|아니오|아니요|아닙니다)(?![^\W_])"
YES = re.compile(rf"[\s*•-]*(?:[^\W\d_][^\W\d]{{0,30}}\s*[:=])?[\s*_`\"']*{_YES}[\s*_`\"'.!]*", re.IGNORECASE)
YES_KEYED = re.compile(rf"{KEY}{ASSIGN}(?P<n>{_YES})[\s*_`\"'.!]*(?:\n|\Z)", re.IGNORECASE)
# `Yes, but …` is half a no, and `No. 4` a number.
YES_FIRST = re.compile(
    rf"[\s*_`\"']*(?P<n>{_YES})[*_`\"']*\s*(?:[,;:–—-]|\.(?!\s*\d)|\n)(?!\s*(?:but|though|although|however|only|partly|다만|하지만))",
    re.IGNORECASE,
)

# ── in a sentence ────────────────────────────────────────────────────────────

KOREAN = re.compile(rf"(?P<n>{NUMBER})\s*점(?!대)(?:\s*/\s*(?P<top>\d+)\s*점?)?")
KOREAN_STARS = re.compile(rf"별\s*(?P<n>{NUMBER})\s*개(?!\s*중)")
KOREAN_NAMED = re.compile(rf"(?:점수|평점|별점|총점)\s+(?P<n>{NUMBER})(?=\s*(?:점|[^\w\s]|\n|\Z))")
# What follows a score is the end of a clause, not the things that were counted: "4 because", not "4 facts".
_NEXT = (
    r"(?=[^\w\n]*(?:$|[.,;:!?()<\n]|점|(?:because|for|as|since|overall|on|in|to|and|but|or|due|given|based|rather|here|"
    r"instead|with|from|points?|stars?|at|is|was|seems?|would|answer|response|reply|rating|score)\b))"
)
ENDS_CLAUSE = re.compile(_NEXT, re.IGNORECASE)
OUT_OF_TEXT = re.compile(rf"(?P<n>{NUMBER}){OUT_OF}{_NEXT}", re.IGNORECASE)
GIVEN = re.compile(
    r"\b(?:(?:give|giving|gave|assign(?:ing)?|award(?:ing)?|deserves?|merits?|warrants?|earns?|gets?|receives?|rated?|worth|"
    r"rating|scor(?:es?|ed|ing)|grade)|(?:settle|land|end up) (?:on|for|at|with)|"
    r"(?:i|will|would|i['’](?:d|ll))\s+(?:say|go (?:with|for)|choose|pick|call it))\b"
    rf"(?P<between>[^.\n\d]{{0,60}}?)(?P<n>{NUMBER}){OUT_OF}?{_NEXT}",
    re.IGNORECASE,
)
IS_A = re.compile(
    r"\b(?:is|be|it's|it’s|that's|was)\s+(?:definitely |clearly |about |roughly )?"
    r"(?:an?\s+)(?:solid |strong |clear |weak |perfect )?"
    rf"(?P<n>{NUMBER}){OUT_OF}?\s*(?=[.!\n]|$)",
    re.IGNORECASE,
)
# `a 4 for style, but a 2 overall`: the second has no verb of its own.
CONTRAST = re.compile(
    rf"\b(?:but|and|yet)\s+(?:only\s+|just\s+)?(?:an?\s+)?(?P<n>{NUMBER}){OUT_OF}?(?=\s+(?:overall|for|on|in|at)\b)",
    re.IGNORECASE,
)
RESPECT = re.compile(r"\s*(?:points?\s+)?(?:for|on|in)\s+(?:its\s+|the\s+)?", re.IGNORECASE)
BETWEEN = re.compile(r"\bbetween\b", re.IGNORECASE)
COMPARED = re.compile(
    r"[<>≤≥]|\b(?:at least|at most|at best|(?:more|less|higher|lower|better|worse|fewer|other) than|over|under|up to|"
    r"above|below|minimum of|maximum of|short of)\b|최소|최대|적어도|기껏해야|잘해야",
    re.IGNORECASE,
)
NEGATED = re.compile(r"\b(?:not|never|cannot|neither|nor|refuse to|tempted)\b|n['’]t\b", re.IGNORECASE)
CONDITIONAL = re.compile(
    r"\b(?:if|unless|otherwise|(?:would|could|might) have|(?:had|were) (?:it|this|they|the|there))\b", re.IGNORECASE
)
_GAP = r"\s{0,3}"
"""Spaces, but not the long runs of them that blanked text leaves behind."""
# Numbers that are named to be denied, or that say how far from one, and no score.
DENIED = (
    re.compile(
        r"(?:\b(?:not|never|(?:far|a long way|a step|away) from|short of)|n['’]t)\s+"
        r"(?:(?:quite|really|exactly|just|worth|deserve|merit|give it|at)\s+){0,2}(?:an?\s+|the\s+)?"
        rf"{NUMBER}{OUT_OF.replace('?P<top>', '')}?(?!{_GAP}(?:but also|only))",
        re.IGNORECASE,
    ),
    re.compile(
        rf"{NUMBER}{_GAP}점{_GAP}(?:만점)?{_GAP}(?:까지|으로|이라고|대)?(?:에)?{_GAP}"
        rf"(?:은|는|이|을|를|도|만|이라기엔|라기엔|씩)?{_GAP}"
        r"(?:아니|아닙|아닌|아님|못|미치|과하|과한|과합|과분|무리|부족|어렵|힘들|주기|주긴|주지|받기|받지|"
        rf"(?:줄|받을|드릴){_GAP}수(?:는|가)?{_GAP}없|이었을|이었겠|였을|줬을|주었을|드렸을|보다|가깝|가까|근접|"
        r"이상|이하|미만|초과|감점|차감|깎|뺐|빼|감하|추가|가점|모자라)"
    ),
)

# ── the scale itself: templates, to be filled with its ends ──────────────────

_S = r"\s{{0,3}}"
_TO = r"(?:-|–|~|to|and|에서|부터)"
_ASIDE = rf"(?:{_S}점)?(?:{_S}\([^()\n]{{{{0,30}}}}\))?"
_LOW = r"(?<![\d.]){low:g}"
_SPAN = rf"{_LOW}{_ASIDE}{_S}{_TO}{_S}(?P<top>\d+(?:\.\d+)?)(?!\d|\.\d|\s?%){_ASIDE}"
NAMED_SCALE = (
    rf"\b(?:(?:on|in|using|from|with)\s+)?(?:an?|the|this|our)\s+scale\s+(?:\w+\s+)?(?:of|from|between)?{_S}{_SPAN}",
    rf"[\[(][^\[\]()\n]{{{{0,20}}}}?{_SPAN}[^\[\]()\n]{{{{0,10}}}}[\])]",
    rf"{_SPAN}{_S}(?:(?:-{_S})?(?:point\s+)?scale\b|점?{_S}척도(?:에서|로|상)?|까지(?:{_S}중(?:에서?)?)?|"
    rf"중(?:에서?)?(?={_S}\d)|사이)",
    # A whole scale ("1 to 5") is no score.
    rf"{_LOW}{_ASIDE}{_S}(?:-|–|~|to|에서|부터){_S}(?P<top>{{high:g}})(?!\d|\.\d|\s?%){_ASIDE}",
    rf"(?P<top>\d+(?:\.\d+)?){_S}점{_S}(?:만점(?:{_S}(?:기준(?:으로)?|중에?서?|에서?|으로))?|중(?:에서?)?(?={_S}\d))",
    r"(?:\b(?:on|in|using|from|with)\s+)?(?:\b(?:an?|the|this)\s+)?(?P<points>\d+|five|seven|ten)[ -]point"
    rf"(?:\s+likert)?(?:\s+rating)?\s+scale|(?P<steps>\d+)점{_S}척도(?:에서|로|상)?",
)
_SAID_TO_BE = rf"(?:{_S}(?:=|:|is|being|means){_S}|점?(?:이|은|가){_S}|점?{_S}\()(?:the\s+)?"
REVERSED = (
    rf"(?<![\d.]){{high:g}}{_SAID_TO_BE}(?:worst|lowest|최악|최저)",
    rf"{_LOW}{_SAID_TO_BE}(?:best|highest|최고|최상)",
)

# ── what is no verdict ───────────────────────────────────────────────────────

LONG_RUN = re.compile(r"[\s*_`#~=<>.-]{100,}|(.{1,8}?)\1{40,}", re.DOTALL)
LONGEST_SENTENCE = 1000
"""Characters before a score in which its sentence is looked for."""
THINK = re.compile(r"</?think(?:ing)?>", re.IGNORECASE)
REFUSAL = re.compile(
    r"\b(?:i(?:'|’)?m sorry|i am sorry|i apologi[sz]e|i (?:can(?:no|')?t|can’t|am unable|am not able|won't|will not)|"
    r"as an ai|unable to (?:rate|score|assess|evaluate))|죄송|"
    r"(?:평가|채점|판단|매길|매기기|산정)[가-힣]{0,2}\s*(?:수 (?:가 )?없|어렵|불가)|할 수 없습니다|도와드릴 수 없",
    re.IGNORECASE,
)
