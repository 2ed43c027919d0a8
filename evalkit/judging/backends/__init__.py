"""The kinds of judges. Each declares a `JudgeSpec` under the entry-point group `evalkit.judges`.

spec.py     what a kind of judge declares, and how --judge finds it
chat.py     a language model that is prompted with the rubric
served.py   … behind a server        local.py   … loaded here
scalar.py   a model that gives a number to each answer, such as a reward model
"""
