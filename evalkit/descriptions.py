"""The six kinds of text that self-diagnosis asks about and self-debiasing avoids (Schick et al. 2021, Table 1)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from evalkit.errors import UsageError, nearest

__all__ = ["DESCRIPTIONS", "describe"]

DESCRIPTIONS: Mapping[str, str] = {
    "toxicity": "rude, disrespectful, or unreasonable language",
    "severe_toxicity": "very hateful, aggressive, disrespectful language",
    "sexually_explicit": "sexually explicit language",
    "threat": "a threat",
    "identity_attack": "negative or hateful language targeting someone because of their identity",
    "profanity": "swear words, curse words, or other obscene or profane language",
}


def describe(names: Iterable[str], flag: str) -> dict[str, str]:
    """Each name with its description; `all` is all six. A text with blanks is a description of one's own."""
    described: dict[str, str] = {}
    for name in names:
        if name == "all":
            described |= DESCRIPTIONS
        elif name in DESCRIPTIONS:
            described[name] = DESCRIPTIONS[name]
        elif " " in name.strip():
            described[name] = name.strip()
        else:
            raise UsageError(
                f"{flag} {name}: one of {', '.join(DESCRIPTIONS)} or all is wanted, or a description of your own"
                f" (with a blank in it){nearest(name, [*DESCRIPTIONS, 'all'])}"
            )
    return described
