"""IFEval's 25 instructions, checked offline by the rules published with them (Zhou et al. 2023, arXiv:2311.07911).

following.py  a response against all instructions of a prompt, strict and loose
rules.py      the table: instruction → rule          words.py     words as NLTK counts them
keywords.py, lengths.py, layout.py, cases.py         language.py  langdetect with a fixed seed
"""

from __future__ import annotations

from evalkit.checks.ifeval.following import Following, follow
from evalkit.checks.ifeval.rules import RULES, Rule

__all__ = ["RULES", "Following", "Rule", "follow"]
