"""pass@k, for the registry and for use without a run.

passk       the unbiased estimate for one problem
code_eval   a metric for the `evaluate` library (imports that library)
"""
