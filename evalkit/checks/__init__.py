"""Whether an answer did what it was told: pure checks on text, strict and loose, without a model.

outcome.py   what a check is and says          params.py    specs from task files, looked through
checking.py  spec + answer → outcome           kinds.py     the table of kinds
readings.py  lenient readings of an answer     fences.py    code fences
text.py      words, characters, sentences.py   numerals.py  numbers in digits, number_words.py spelt out
scripts.py   letters by script                 sqlite.py    a bounded, read-only database
schemas.py   JSON Schema, nothing fetched

Kinds: sql, json_value, code, language, lengths, copying, summary, email, politeness, choice, formats, wording, persona
and ifeval/.
"""

from __future__ import annotations

from evalkit.checks.checking import check, kinds, needs_sandbox, programs, validate
from evalkit.checks.outcome import Kind, Outcome, Param

__all__ = ["Kind", "Outcome", "Param", "check", "kinds", "needs_sandbox", "programs", "validate"]
