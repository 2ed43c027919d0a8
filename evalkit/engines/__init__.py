"""Engines: one stream of work in, one stream of answers out.

base.py         the protocol
huggingface.py  transformers, on CPU and CUDA
vllm.py         vLLM
openai.py       any server that speaks the OpenAI protocol
replay.py       recorded answers, no model
mock.py         canned answers, for tests of other rooms
"""
