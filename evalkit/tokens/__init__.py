"""Turns text requests into token requests: tokenizer, chat template, splitting, cutting to the window. No torch.

tokenizer.py  loads a tokenizer and encodes requests   chat.py      chat templates
windows.py    fits requests into the window            sampling.py  turns generation kwargs into Sampling
encoding.py   the token requests of one request
"""

from evalkit.tokens.chat import ChatTemplate, message_prompts
from evalkit.tokens.encoding import Encoded, encode_text
from evalkit.tokens.sampling import sampling_of
from evalkit.tokens.tokenizer import Tokenizer

__all__ = ["ChatTemplate", "Encoded", "Tokenizer", "encode_text", "message_prompts", "sampling_of"]
