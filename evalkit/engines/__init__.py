"""Engines: one stream of work in, one stream of answers out. Each is one folder with a `spec.py`.

spec.py       what an engine says of itself; finding, choosing and starting one
base.py       the protocols: an engine, its model, its tokenizer
price.py      what tokens cost
huggingface/  transformers, on CPU and CUDA
vllm/         vLLM
openai/       any server that speaks the OpenAI protocol
ray/          replicas of another engine, on one machine or a cluster
replay/       the name of recorded answers, which evalkit score reads
mock.py       canned answers, for tests of other rooms
"""
