"""Runs a model on tasks. The only room that knows the order of things.

The stages, each in its file, in this order (pipeline.py calls them):

preparing   what was typed: suite, model, tokenizer, documents with prompts; what is wrong is found here
requests    plan: token requests with ids and journal keys (evalkit/planning.py puts them in order)
answering   the journal's answers, then the engine's, in the loop of loop.py
grading     complete documents become rows; programs go through the sandbox
writing     rows become figures and a run folder

Beside them: early_gate and rounds (--against), recorded (evalkit score), judging (evalkit judge).
"""

from evalkit.runner.early_gate import EarlyGate
from evalkit.runner.listener import Listener
from evalkit.runner.pipeline import run
from evalkit.runner.preparing import LoadedModel
from evalkit.runner.writing import Outcome

__all__ = ["EarlyGate", "Listener", "LoadedModel", "Outcome", "run"]
