"""Figures beyond lm-eval's own metrics.

code        verdicts of the sandbox as pass@k, with coverage
code_eval   the same as a metric of the `evaluate` library, usable on its own (imports that library)
"""
