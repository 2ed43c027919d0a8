"""evalkit: is this model better or worse, on what, and how sure are you?"""

__version__ = "0.1.0"
__all__ = ["__version__"]
