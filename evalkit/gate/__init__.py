"""PASS, REGRESSION or CANNOT TELL: reads two runs and a policy. No model, no lm-eval: results only.

evidence   bounded differences of each task's metric and of each kind of trouble with its answers
decide     evidence to verdicts, all tests of a gate at once
reasons    why, and what would settle it
verdict    what comes out
gate       all of it, for `evalkit gate`
trial      one target under way, for `evalkit run --against`
early      verdicts before the last document
"""

from evalkit.gate.decide import Decision, decide
from evalkit.gate.early import EARLY_SHARE, EarlyVerdict, conclude, judge
from evalkit.gate.evidence import Evidence, FlagEvidence, of_values
from evalkit.gate.gate import gate
from evalkit.gate.trial import Trial, trial
from evalkit.gate.verdict import Bound, FlagVerdict, GateResult, Noise, TaskVerdict, Verdict, overall

__all__ = [
    "EARLY_SHARE",
    "Bound",
    "Decision",
    "EarlyVerdict",
    "Evidence",
    "FlagEvidence",
    "FlagVerdict",
    "GateResult",
    "Noise",
    "TaskVerdict",
    "Trial",
    "Verdict",
    "conclude",
    "decide",
    "gate",
    "judge",
    "of_values",
    "overall",
    "trial",
]
