"""Evaluation beside a trainer: each checkpoint that it writes is evaluated once it is whole.

checkpoints  which folders are checkpoints, and whether one is whole
linking      keeps a checkpoint's files while it is evaluated, whatever the trainer does
memory       what a watch has done, in a file that survives restarts
budget       which tasks and documents fit a time, by their costs
budgeting    the choice for --budget, by earlier runs or by a probe, kept for later checkpoints
pace         what earlier runs say of a task's speed and of changed answers
spending     how sure a look must be, so that all looks together keep the error rate
telling      what happened, to a file, a command and a URL
untold       what a killed watch had evaluated and told nobody of
handover     what a trainer's callback and a watch in another process tell each other
watching     the loop
callback     the same inside of a trainer, on the model in memory
"""

from evalkit.training.callback import EvalkitCallback
from evalkit.training.watching import Evaluated, Watch, Watcher

__all__ = ["EvalkitCallback", "Evaluated", "Watch", "Watcher"]
