"""pass@k, for the registry and on its own.

passk       the unbiased estimate of one problem
code_eval   the same as a metric of the `evaluate` library, usable on its own (imports that library)
"""
