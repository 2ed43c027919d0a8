"""The journal: every finished answer, durable as it comes, found again by what determines it.

Journal      put and get_many; one per process
Keyer        the key of a request: model, request and semantics, nothing else
stat, prune  how big, whose, and how to drop what no run refers to
"""

from evalkit.journal.journal import FOLDER, Journal
from evalkit.journal.keys import Keyer, key
from evalkit.journal.upkeep import JournalStat, ModelUse, Pruned, expected_bytes, prune, stat

__all__ = [
    "FOLDER",
    "Journal",
    "JournalStat",
    "Keyer",
    "ModelUse",
    "Pruned",
    "expected_bytes",
    "key",
    "prune",
    "stat",
]
