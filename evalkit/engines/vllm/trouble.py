"""What went wrong, in one line that says what would help.

vLLM's own exception often says no more than that the root cause stands above; so the log's tail is read too.
"""

from __future__ import annotations

import re
from collections.abc import Collection

__all__ = ["explain", "misunderstood"]

_MEMORY = re.compile(
    r"out of memory|OutOfMemoryError|No available memory for the cache blocks|can't allocate memory"
    r"|is larger than the available KV cache memory|less than desired (?:GPU|CPU) memory utilization"
    r"|Cannot allocate memory|not enough memory|larger than the (?:maximum|available) .{0,40}KV cache"
    r"|is less than requested memory|MemoryError|could not create a (?:primitive|memory)",
    re.IGNORECASE,
)
_FITTING_LENGTH = re.compile(r"estimated maximum model length is (\d+)")
_ERROR = re.compile(r"\b((?:[A-Za-z_][\w.]*)?(?:Error|Exception|Interrupt))\b: *(.+)")
_PREFIX = re.compile(r"^.*?(?:ERROR|CRITICAL) [\d\-: .]+\[[^\]]*\] *")
_VALIDATION = re.compile(r"^(?:Value error|Assertion failed), ")
_AROUND = re.compile(
    r"^Refused: |^ValidationError: \d+ validation errors? for \w+\s+(?:Value error, )?|\s*\[type=\w+, input_.*$",
    re.DOTALL,
)
_EMPTY_WORDS = re.compile(r"Engine core initialization failed|EngineDeadError|See root cause|see (?:the )?stack trace")


def explain(model: str, found: str, log: str = "") -> str:
    """`found` is what was raised or how the process ended; `log` the end of vLLM's output."""
    cause = _cause(found, log)
    both = f"{found}\n{log}"
    if "invalid because" not in cause and _MEMORY.search(cause if cause != found else both):
        length = _FITTING_LENGTH.search(both)
        smaller = f"max_model_len={length.group(1)}" if length else "max_model_len=2048"
        return (
            f"{model} does not fit: {_short(cause)}. What would help: a smaller length (--model-args {smaller}), "
            "more GPUs (--model-args tensor_parallel_size=2), or quantization (--model-args quantization=fp8)"
        )
    return f"vLLM cannot run {model}: {_short(cause)}"


def misunderstood(error: Exception, typed: Collection[str]) -> str | None:
    """What vLLM says of an argument that was typed, where that is what it complains about."""
    errors = getattr(error, "errors", None)
    if type(error).__name__ != "ValidationError" or not callable(errors):
        return None
    for one in errors():
        place, says = one.get("loc") or (None,), _VALIDATION.sub("", str(one.get("msg")))
        if place[0] in typed:
            return f"--model-args {place[0]}={one.get('input')}: {_short(says)}"
        if any(re.search(rf"\b{re.escape(name)}\b", says) for name in typed):
            return f"--model-args: {_short(says)}"
    return None


def _cause(found: str, log: str) -> str:
    """The last error in the log that says something, else what was raised."""
    if found and not _EMPTY_WORDS.search(found) and not found.startswith("the process"):
        return found
    named: list[str] = []
    for line in log.splitlines():
        match = _ERROR.search(_PREFIX.sub("", line))
        if match and not _EMPTY_WORDS.search(line):
            named.append(match.group(2) if len(match.group(2)) > 20 else match.group(0))
    memory = [line for line in named if _MEMORY.search(line)]
    if memory:
        return memory[-1]
    # The first error is the cause, the later ones are of those that waited for it.
    return f"{named[0]} ({found})" if named and found.startswith("the process") else (named or [found])[0]


def _short(text: str) -> str:
    # vLLM's own advice would stand beside ours, in other words.
    line = " ".join(_AROUND.sub("", text).split()).split(" Try increasing ")[0].rstrip(".")
    return line if len(line) <= 300 else line[:297] + "..."
