"""From text requests to token requests: tokenizer, chat template, splitting, cutting to the window. No torch.

tokenizer.py  Tokenizer.load, encode                chat.py      chat templates
windows.py    fitting into the window               sampling.py  generation kwargs → Sampling
encoding.py   what one Request becomes
"""

from evalkit.tokens.chat import ChatTemplate, message_prompts
from evalkit.tokens.encoding import Encoded, encode_text
from evalkit.tokens.sampling import sampling_of
from evalkit.tokens.tokenizer import Tokenizer

__all__ = ["ChatTemplate", "Encoded", "Tokenizer", "encode_text", "message_prompts", "sampling_of"]
