"""Checks IFEval's 25 instructions offline by their published rules (Zhou et al. 2023, arXiv:2311.07911).

following.py  checks a response by all instructions of its prompt, strictly and loosely
rules.py      the rule of each instruction           words.py     words as NLTK counts them
keywords.py, lengths.py, layout.py, cases.py         language.py  langdetect with a fixed seed
"""

from __future__ import annotations

from evalkit.checks.ifeval.following import Following, follow
from evalkit.checks.ifeval.rules import RULES, Rule

__all__ = ["RULES", "Following", "Rule", "follow"]
