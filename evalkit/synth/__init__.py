"""New instructions from a few seeds, by the pipeline of Self-Instruct (Wang et al. 2023).

recipe       how many examples, from where, and what is refused
prompts      which examples a prompt shows, and its text
parsing      a response into candidate instructions
filters      candidates that are refused for what they are
similarity   ROUGE-L over words
pool         what is kept: new enough against everything before it
recorded     a recorded run, read from its files
replay       the same run again from its recorded answers
"""

from evalkit.synth.funnel import Funnel
from evalkit.synth.recorded import Exchange, RecordedRun, read_recorded
from evalkit.synth.replay import Replay, replay

__all__ = ["Exchange", "Funnel", "RecordedRun", "Replay", "read_recorded", "replay"]
