"""Whether an answer did what it was told: pure checks on text, strict and loose, without a model.

outcome.py   what a check is and says          params.py    specs from task files, looked through
checking.py  spec + answer → outcome           kinds.py     the table of kinds
readings.py  lenient readings of an answer     fences.py    code fences
text.py      words, sentences, characters      numerals.py  numbers in English and Korean
"""

from __future__ import annotations

from evalkit.checks.checking import check, kinds, needs_sandbox, programs, validate
from evalkit.checks.outcome import Kind, Outcome, Param

__all__ = ["Kind", "Outcome", "Param", "check", "kinds", "needs_sandbox", "programs", "validate"]
