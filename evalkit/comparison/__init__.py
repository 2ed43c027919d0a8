"""Reads two runs or more and says what changed. No model, no lm-eval: results only.

targets      what is compared: a name, the tasks behind it, a metric
aligning     a log of inspect_ai in the other run's names, documents and metric
aligned_run  the lines, figures and rows of such a run
questions    which documents of two tools ask the same
settings     whether the runs measured the same thing
lines        the checked lines of scores.parquet
pairing      rows joined by task, document, prompt and filter
measure      figures, the paired difference, what missing answers could do
judged       what a judge's error does to a difference: corrected by people's labels
halves       figures on documents in training data and on the others
flips        documents that changed, both answers
unknown      which trouble with answers one of the runs does not know
texts        what a row says in words
comparison   all of it, for `evalkit compare`
"""

from evalkit.comparison.aligning import Aligned, align
from evalkit.comparison.comparison import (
    Against,
    Comparison,
    TaskComparison,
    compare,
    limits_note,
    measured,
    usable,
    whole,
)
from evalkit.comparison.corpus import contributions, parts_at
from evalkit.comparison.flips import Flip
from evalkit.comparison.halves import Halves, clean_target, find_halves, halves_notes
from evalkit.comparison.judged import Labels, check_judge, correct, judge_note
from evalkit.comparison.lines import FLAGS, NO_ANSWER, Lines, read_lines
from evalkit.comparison.measure import Measured, Member, design, measure, parts
from evalkit.comparison.pairing import Pairs, Unpaired, pair
from evalkit.comparison.settings import (
    KINDS,
    Difference,
    check,
    check_allowed,
    differences,
    limits_differ,
    prompts_may_differ,
)
from evalkit.comparison.targets import (
    Target,
    better_when_higher,
    figure,
    headline,
    judged,
    requested_names,
    resolve,
    shared_names,
)
from evalkit.comparison.unknown import incomparable_flags

__all__ = [
    "FLAGS",
    "KINDS",
    "NO_ANSWER",
    "Against",
    "Aligned",
    "Comparison",
    "Difference",
    "Flip",
    "Halves",
    "Labels",
    "Lines",
    "Measured",
    "Member",
    "Pairs",
    "Target",
    "TaskComparison",
    "Unpaired",
    "align",
    "better_when_higher",
    "check",
    "check_allowed",
    "check_judge",
    "clean_target",
    "compare",
    "contributions",
    "correct",
    "design",
    "differences",
    "figure",
    "find_halves",
    "halves_notes",
    "headline",
    "incomparable_flags",
    "judge_note",
    "judged",
    "limits_differ",
    "limits_note",
    "measure",
    "measured",
    "pair",
    "parts",
    "parts_at",
    "prompts_may_differ",
    "read_lines",
    "requested_names",
    "resolve",
    "shared_names",
    "usable",
    "whole",
]
