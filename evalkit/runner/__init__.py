"""Runs a model on tasks: this package puts the stages of a run in order.

The stages, each in its file, in this order (pipeline.py and passing.py call them):

finding     finds suite, model and tokenizer; wrong input is reported here
preparing   builds documents with prompts
requests    makes token requests with ids and journal keys (evalkit/planning.py puts them in order)
answering   takes the journal's answers, then asks the engine for the rest, in the loop of loop.py
grading     turns complete documents into rows; programs go through the sandbox
writing     turns rows into figures and writes the run folder

Beside them: sweep with member and slots (several models on one cluster),
early_gate and rounds (--against), recorded (evalkit score), judging (evalkit judge).
"""

from evalkit.runner.early_gate import EarlyGate
from evalkit.runner.finding import LoadedModel
from evalkit.runner.listener import Listener
from evalkit.runner.pipeline import run
from evalkit.runner.writing import Outcome

__all__ = ["EarlyGate", "Listener", "LoadedModel", "Outcome", "run"]
