"""Statistics on numpy and scipy alone. Each function names its paper and spells out the equation.

intervals      one proportion, one mean
cluster        strata, clusters and weights become a variance: the one helper that all others call
bounded        bounds on a paired difference that hold at any size: what the gate decides on
multiplicity   many tests at once
sequential     confidence sequences: bounds that hold at whatever time one looks, and the drawing that they need
power          what n documents can see, and how many it takes
simultaneous   bounds that hold all at once, for a curve and for the best of several
samples        the mean over several answers per document
groups, ranks  figures made of figures
"""

from evalkit.stats.auc import Area, area_under_curve
from evalkit.stats.bounded import BoundedDifference, bounded_difference, mover_limits
from evalkit.stats.bounds import Bounds
from evalkit.stats.cluster import Design, Mean, clustered_mean
from evalkit.stats.corpus import (
    Contributions,
    CorpusDifference,
    CorpusFigure,
    Drawn,
    corpus_difference,
    corpus_figure,
    corpus_value,
)
from evalkit.stats.corpus_distance import CorpusDistance, corpus_distance
from evalkit.stats.corpus_kinds import KINDS as CORPUS_KINDS
from evalkit.stats.corpus_kinds import CorpusKind
from evalkit.stats.groups import chance_normalised_mean, group_mean, plain_mean
from evalkit.stats.intervals import (
    Interval,
    clopper_pearson_limits,
    mean_t,
    wilson,
)
from evalkit.stats.multiplicity import holm, holm_levels
from evalkit.stats.power import (
    decision_probability,
    documents_needed,
    repeats_needed,
    smallest_detectable_drop,
)
from evalkit.stats.ranks import Rank, pairwise_better, rank_intervals
from evalkit.stats.samples import SampleMean, own_discordance, sample_mean
from evalkit.stats.sequential import ConfidenceSequence, log_capital, stakes
from evalkit.stats.sequential_draw import Drawing, draw, looks
from evalkit.stats.simultaneous import joint_error, sidak_level

__all__ = [
    "CORPUS_KINDS",
    "Area",
    "BoundedDifference",
    "Bounds",
    "ConfidenceSequence",
    "Contributions",
    "CorpusDifference",
    "CorpusDistance",
    "CorpusFigure",
    "CorpusKind",
    "Design",
    "Drawing",
    "Drawn",
    "Interval",
    "Mean",
    "Rank",
    "SampleMean",
    "area_under_curve",
    "bounded_difference",
    "chance_normalised_mean",
    "clopper_pearson_limits",
    "clustered_mean",
    "corpus_difference",
    "corpus_distance",
    "corpus_figure",
    "corpus_value",
    "decision_probability",
    "documents_needed",
    "draw",
    "group_mean",
    "holm",
    "holm_levels",
    "joint_error",
    "log_capital",
    "looks",
    "mean_t",
    "mover_limits",
    "own_discordance",
    "pairwise_better",
    "plain_mean",
    "rank_intervals",
    "repeats_needed",
    "sample_mean",
    "sidak_level",
    "smallest_detectable_drop",
    "stakes",
    "wilson",
]
