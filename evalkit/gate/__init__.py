"""PASS, REGRESSION or CANNOT TELL: reads two runs and a policy. No model, no lm-eval: results only.

evidence   bounded differences of each task's metric and of each kind of trouble with its answers
decide     evidence to verdicts, all tests of a gate at once
reasons    why, and what would settle it
verdict    what comes out
gate       all of it, for `evalkit gate`
"""

from evalkit.gate.decide import Decision, decide
from evalkit.gate.evidence import Evidence, FlagEvidence, of_values
from evalkit.gate.gate import gate
from evalkit.gate.verdict import Bound, FlagVerdict, GateResult, Noise, TaskVerdict, Verdict

__all__ = [
    "Bound",
    "Decision",
    "Evidence",
    "FlagEvidence",
    "FlagVerdict",
    "GateResult",
    "Noise",
    "TaskVerdict",
    "Verdict",
    "decide",
    "gate",
    "of_values",
]
