"""Judges answers by a rubric with a language model, and measures how far such a judge can be believed.

rubric.py     what a judge is asked            items.py        the answers to judge
prompts.py    its prompts; fence.py            judgment.py     one judgment, from the prompts to a score
calls.py      asks an engine, keeps replies    replies.py      reads scores from replies; reply_*.py, json_replies.py
logprobs.py   scores from log-probabilities    encodings.py    the tokens that spell a label
backends/     the kinds of judges (plug-ins)   run.py          judges a run; entries.py, figures.py, caps.py
records.py    recorded judgments and labels    calibrate.py    agreement with people; agreement.py, certificate.py
pairwise.py   comparisons of two answers       audit.py        order, length, repeatability; canaries.py
"""
