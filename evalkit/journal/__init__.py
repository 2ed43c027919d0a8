"""The journal: stores every finished answer on disk at once, under a key of all that determines it.

Journal      put and get_many; one per process
Keyer        makes the key of a request, from the model, the request and the engine's semantics only
stat, prune  show a journal's size and models, and delete answers that no run refers to
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
