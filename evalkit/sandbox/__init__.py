"""Runs untrusted programs against their tests and returns a verdict for each. It knows nothing of tasks.

sandbox     Sandbox: choose a tier, submit programs, collect verdicts
pool        the thread that hands programs to the workers, retries, and restarts a dead server
server      starts the server process and exchanges messages with it
packages    finds the installed packages that programs may import
canaries    the attempts to escape that must fail before a tier is used
inside/     the code that runs in the server process: standard library only
"""

from evalkit.sandbox.inside.limits import Limits
from evalkit.sandbox.sandbox import TIERS, Sandbox, Tier, Tried

__all__ = ["TIERS", "Limits", "Sandbox", "Tier", "Tried"]
