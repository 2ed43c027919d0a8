"""Other people's runs: lm-eval's results and inspect_ai's logs, read as they lie. Nothing is written or converted.

finding      what a path holds
lmeval       results_<date>.json and samples_<task>_<date>.jsonl
inspectai    .eval and .json logs
reading, archive   files without trust: bounded, checked, never unpickled, never unpacked to disk
"""

from evalkit.results.foreign.finding import EXPECTED, find_foreign, find_foreign_below, open_foreign
from evalkit.results.foreign.run import ForeignRun

__all__ = ["EXPECTED", "ForeignRun", "find_foreign", "find_foreign_below", "open_foreign"]
