"""Checks whether an answer follows its instructions: strictly and loosely, on text only, without a model.

outcome.py   the types of checks and outcomes  params.py    validates the specs of task files
checking.py  checks an answer by a spec        kinds.py     the table of kinds
readings.py  lenient readings of an answer     fences.py    code fences
text.py      words, characters, sentences.py   numerals.py  numbers in digits; number_words.py spelt out
scripts.py   letters by script                 sqlite.py    a bounded, read-only database
schemas.py   JSON Schema, nothing is fetched

Kinds: sql, json_value, code, language, lengths, copying, summary, email, politeness, choice, formats, wording, persona
and ifeval/.
"""

from __future__ import annotations

from evalkit.checks.checking import check, kinds, needs_sandbox, programs, validate
from evalkit.checks.outcome import Kind, Outcome, Param

__all__ = ["Kind", "Outcome", "Param", "check", "kinds", "needs_sandbox", "programs", "validate"]
