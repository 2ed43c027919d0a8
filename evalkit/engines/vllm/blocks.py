"""How many tokens the prefix cache keeps together on a CPU: of a shared prefix, the rest is read again and again.

vLLM's default there is 128. Its kernels take 16, as its earlier versions offer; later ones ask for 32 on every
processor because some have no other kernel.
"""

from __future__ import annotations

from typing import Any

__all__ = ["smallest_block"]

_SMALL, _USUAL = 16, 32


def smallest_block(dtype: str, *, cache_dtype: str = "auto", alone: bool) -> int:
    """The smallest block that costs no faster kernel.

    Where vLLM does not offer it, it is made to in this process: that does only if the model is `alone` in it.
    """
    try:
        from vllm.v1.attention.backends import cpu_attn

        kernel_of, backend = cpu_attn._get_attn_isa, cpu_attn.CPUAttentionBackend
        offered = [size for size in backend.get_supported_kernel_block_sizes() if hasattr(size, "base")]
    except (ImportError, AttributeError, TypeError):
        return _USUAL
    # Of a cache in eight bits only the large kernel can read.
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
    # Head sizes of which both kernels can be had; others have one for every block.
    for kind in kinds.get(dtype.removeprefix("torch."), [torch.float32, torch.float16, torch.bfloat16]):
        if (kernel_of(kind, _USUAL, 64), kernel_of(kind, _SMALL, 64)) != ("vec", "vec16"):
            return False
    return True
