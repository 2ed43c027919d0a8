"""What went wrong, in one line that says what would help."""

from __future__ import annotations

from evalkit.engines.vllm.trouble import explain

KILLED = "the process was killed (signal 9): by the system if its memory was full, else by somebody"


def test_a_model_that_does_not_fit_gets_a_line_that_says_what_would() -> None:
    log = (
        "(EngineCore pid=7) ERROR 11-21 08:00:00 [core.py:900] ValueError: To serve at least one request with the "
        "models's max seq len (32768), (4.00 GiB KV cache is needed, which is larger than the available KV cache "
        "memory (1.10 GiB). Based on the available memory, the estimated maximum model length is 9008.\n"
        "RuntimeError: Engine core initialization failed. See root cause above. Failed core proc(s): {}\n"
    )
    line = explain("mistral", "RuntimeError: Engine core initialization failed. See root cause above.", log)
    assert "\n" not in line
    assert "max_model_len=9008" in line
    assert "tensor_parallel_size" in line
    assert "quantization" in line
    cuda = explain("m", "OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB.")
    assert "does not fit" in cuda
    assert "does not fit" in explain("m", "RuntimeError: could not create a primitive"), "oneDNN without memory"
    assert "does not fit" in explain("m", KILLED, "RuntimeError: [enforce fail] DefaultCPUAllocator: out of memory")
    killed = explain("m", KILLED)
    assert "killed" in killed
    assert "does not fit" not in killed, "nobody knows"
    other = explain(
        "m",
        "ValidationError: 1 validation error for ModelConfig\n  Value error, unknown quantization method: foo "
        "[type=value_error, input_value=ArgsKwargs((), {}), input_type=ArgsKwargs]\n    For further information",
    )
    assert other.endswith("unknown quantization method: foo")
    assert "does not fit" not in other
    assert "unknown quantization method" in other
