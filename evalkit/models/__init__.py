"""Models: resolves aliases and paths, checks a checkpoint's files, and computes the fingerprint of its weights."""
