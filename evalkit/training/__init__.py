"""Evaluation beside a trainer: each checkpoint that it writes is evaluated once it is whole.

checkpoints  which folders are checkpoints, and whether one is whole
linking      keeps a checkpoint's files while it is evaluated, whatever the trainer does
memory       what a watch has done, in a file that survives restarts
budget       which tasks and documents fit a time for each checkpoint
spending     how sure a look must be, so that all looks together keep the error rate
telling      what happened, to a file, a command and a URL
watching     the loop
callback     the same inside of a trainer, on the model in memory
"""

from evalkit.training.callback import EvalkitCallback
from evalkit.training.watching import Evaluated, Watch, Watcher

__all__ = ["EvalkitCallback", "Evaluated", "Watch", "Watcher"]
