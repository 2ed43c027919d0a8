"""How figures go along a training run. No model, no lm-eval: results only.

axis         where on the axis a run stands: its revision, names, trainer_state.json, or a table
trainer      what trainer_state.json says
choosing     which runs make a task's points, and by which metric
table        places of runs from a CSV file
evidence     bands and differences, paired on documents or from figures alone
corpus       the same for figures of all documents together, such as F1 and perplexity
verdicts     the best checkpoint, whether the last is worse, since when, which is enough
documents    the rows of all points of a task, joined on documents
forgetting   documents that were forgotten, and since when
task         one task: its points with bands, and what they say
records      Point, TaskCurve, Curves
curves       all of it, for `evalkit curve`
"""

from evalkit.curves.axis import Placed, place_runs
from evalkit.curves.curves import draw_curves
from evalkit.curves.evidence import Bands, Evidence, Paired
from evalkit.curves.records import Curves, Forgotten, Point, TaskCurve
from evalkit.curves.table import read_table
from evalkit.curves.texts import number, place
from evalkit.curves.verdicts import Verdict, decide

__all__ = [
    "Bands",
    "Curves",
    "Evidence",
    "Forgotten",
    "Paired",
    "Placed",
    "Point",
    "TaskCurve",
    "Verdict",
    "decide",
    "draw_curves",
    "number",
    "place",
    "place_runs",
    "read_table",
]
