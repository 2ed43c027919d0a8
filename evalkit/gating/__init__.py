"""PASS, REGRESSION or CANNOT TELL: reads two runs and a policy. No model, no lm-eval: results only.

evidence   bounded differences of each task's metric and of each kind of trouble with its answers
decide     evidence to verdicts, all tests of a gate at once
reasons    why, and what would settle it
verdict    what comes out
gate       all of it, for `evalkit gate`
trial      one target under way, for `evalkit run --against`
early      verdicts before the last document
noise      how much single answers differ, where a run has several per document
plan       how many documents and answers a drop needs, for `evalkit plan`
"""

from evalkit.gating.decide import Decision, decide
from evalkit.gating.early import EARLY_SHARE, EarlyVerdict, conclude, judge
from evalkit.gating.evidence import Evidence, FlagEvidence
from evalkit.gating.finished import gate
from evalkit.gating.noise import NO_NOISE, AnswerNoise, answer_noise
from evalkit.gating.plan import Plan, TaskPlan, plan_tasks
from evalkit.gating.trial import Trial, trial
from evalkit.gating.verdict import Bound, FlagVerdict, GateResult, Noise, TaskVerdict, Verdict, overall

__all__ = [
    "EARLY_SHARE",
    "NO_NOISE",
    "AnswerNoise",
    "Bound",
    "Decision",
    "EarlyVerdict",
    "Evidence",
    "FlagEvidence",
    "FlagVerdict",
    "GateResult",
    "Noise",
    "Plan",
    "TaskPlan",
    "TaskVerdict",
    "Trial",
    "Verdict",
    "answer_noise",
    "conclude",
    "decide",
    "gate",
    "judge",
    "overall",
    "plan_tasks",
    "trial",
]
