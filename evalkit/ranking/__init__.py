"""Makes a leaderboard from run folders: it reads results only, without a model and without lm-eval.

records    the types of a leaderboard
choosing   chooses the runs that get a line
columns    chooses the benchmarks
scores     makes the line of one run: its model and its figures
means      computes means over benchmarks, and ranks
unlike     finds benchmarks that were run with different settings
board      puts it together
"""

from evalkit.ranking.board import leaderboard
from evalkit.ranking.choosing import newest_of_each
from evalkit.ranking.records import Benchmark, Leaderboard, Line, Score, listed

__all__ = ["Benchmark", "Leaderboard", "Line", "Score", "leaderboard", "listed", "newest_of_each"]
