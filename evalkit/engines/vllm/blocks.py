"""Chooses the block size of the prefix cache on a CPU: only whole blocks of a shared prefix are reused.

vLLM's default there is 128. Its kernels support 16, which earlier versions offer; later versions require 32 on every
processor because some have no other kernel.
"""

from __future__ import annotations

from typing import Any

__all__ = ["smallest_block"]

_SMALL, _USUAL = 16, 32


def smallest_block(dtype: str, *, cache_dtype: str = "auto", alone: bool) -> int:
    """The smallest block size that does not need a slower kernel.

    If vLLM does not offer it, vLLM is patched in this process, which works only if the model runs in it (`alone`).
    """
    try:
        from vllm.v1.attention.backends import cpu_attn

        kernel_of, backend = cpu_attn._get_attn_isa, cpu_attn.CPUAttentionBackend
        offered = [size for size in backend.get_supported_kernel_block_sizes() if hasattr(size, "base")]
    except (ImportError, AttributeError, TypeError):
        return _USUAL
    # Only the kernel for large blocks can read an eight-bit cache.
    if not offered or cache_dtype != "auto" or not _has_small_kernel(kernel_of, dtype):
        return _USUAL
    if min(size.base for size in offered) > _SMALL:
        if not alone:
            return _USUAL
        small = [type(offered[0])(_SMALL)]
        backend.get_supported_kernel_block_sizes = staticmethod(lambda *args, **kwargs: small)
    return _SMALL


def _has_small_kernel(kernel_of: Any, dtype: str) -> bool:
    import torch

    kinds = {"float32": [torch.float32], "float": [torch.float32], "float16": [torch.float16], "half": [torch.float16]}
    # Head size 64 has both kernels; other head sizes have one kernel for all block sizes.
    for kind in kinds.get(dtype.removeprefix("torch."), [torch.float32, torch.float16, torch.bfloat16]):
        if (kernel_of(kind, _USUAL, 64), kernel_of(kind, _SMALL, 64)) != ("vec", "vec16"):
            return False
    return True
