"""Runs untrusted programs and says what became of them. Knows nothing of tasks.

sandbox     Sandbox: choose a tier, submit programs, take verdicts
pool        the thread that feeds the workers, retries, and restarts a dead server
server      starting the server process and speaking with it
canaries    what is tried before a tier is trusted
inside/     what runs in the server: standard library only
"""

from evalkit.sandbox.inside.limits import Limits
from evalkit.sandbox.sandbox import TIERS, Sandbox, Tier, Tried

__all__ = ["TIERS", "Limits", "Sandbox", "Tier", "Tried"]
