"""All runs as one table: reads results only, no model and no lm-eval."""

from evalkit.ranking.rows import Benchmark, Leaderboard, Line, Score, leaderboard, newest_of_each

__all__ = ["Benchmark", "Leaderboard", "Line", "Score", "leaderboard", "newest_of_each"]
