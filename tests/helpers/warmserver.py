"""The process that `tests.helpers.warm` forks from, and the small client that shell scripts call.

    python warmserver.py serve ADDRESS
    python warmserver.py client ADDRESS ARGV…

A request is one connection: three file descriptors, then JSON {argv, cwd, env, script}. The reply is two lines: the
process's number, and its exit code once it has ended (negative: the signal that killed it).
"""

import contextlib
import json
import os
import signal
import socket
import sys

SERVER = __file__


def warm() -> None:
    """Import what a run imports, without starting a thread."""
    import importlib

    import torch

    torch.set_num_threads(1)
    from transformers import (  # noqa: F401 — looked up so that they are loaded
        AutoConfig,
        AutoModelForCausalLM,
        AutoTokenizer,
        LlamaForCausalLM,
        PreTrainedTokenizerFast,
    )

    names = (
        "cli.run cli.gate cli.judge api.evaluation api.finishing runner.pipeline registry.registry registry.lmeval "
        "registry.files registry.kinds.questions engines.huggingface.engine engines.huggingface.selftest "
        "engines.openai.spec engines.ray.spec engines.vllm.spec engines.replay.spec sandbox results reporting.run_view "
        "judging.rubric registry.scorers.self_diagnosis exporting"
    )
    for name in names.split():
        importlib.import_module(f"evalkit.{name}")
    for name in (
        "lm_eval.tasks",
        "lm_eval.api.task",
        "datasets",
        "pandas",
        "pyarrow.parquet",
        "scipy.stats",
        "sacrebleu",
    ):
        importlib.import_module(name)


def serve(address: str) -> None:
    import selectors

    listener = socket.socket(socket.AF_UNIX)
    listener.bind(address)
    listener.listen(64)
    warm()
    wake, woken = socket.socketpair()
    wake.setblocking(False)
    woken.setblocking(False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(woken.fileno(), warn_on_full_buffer=False)
    os.write(1, b"ready\n")
    ready = selectors.DefaultSelector()
    for source in (listener, wake, sys.stdin):
        ready.register(source, selectors.EVENT_READ)
    children: dict[int, socket.socket] = {}
    while True:
        sources = [key.fileobj for key, _ in ready.select()]
        if sys.stdin in sources:
            os._exit(0)
        if wake in sources:
            wake.recv(4096)
        while children:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if not pid:
                break
            _tell(children[pid], os.waitstatus_to_exitcode(status))
            children.pop(pid).close()
        if listener in sources:
            connection, _ = listener.accept()
            request, numbers = _read(connection)
            pid = os.fork()
            if not pid:
                signal.set_wakeup_fd(-1)
                signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                for held in (listener, wake, woken, connection, *children.values()):
                    held.close()
                ready.close()
                _become(request, numbers)
            for number in numbers:
                os.close(number)
            children[pid] = connection
            _tell(connection, pid)


def _tell(connection: socket.socket, number: int) -> None:
    with contextlib.suppress(OSError):  # nobody may wait for it any more
        connection.sendall(f"{number}\n".encode())


def _read(connection: socket.socket) -> tuple[dict, list[int]]:  # type: ignore[type-arg]
    _, numbers, _, _ = socket.recv_fds(connection, 1, 3)
    parts = []
    while part := connection.recv(65536):
        parts.append(part)
    return json.loads(b"".join(parts)), list(numbers)


def _become(request: dict, numbers: list[int]) -> None:  # type: ignore[type-arg]
    """Run the command in this process, and end it as the interpreter would."""
    import atexit
    import threading
    import traceback

    os.setsid()
    for place, number in enumerate(numbers):
        os.dup2(number, place)
        if number > 2:
            os.close(number)
    os.chdir(request["cwd"])
    os.environ.clear()
    os.environ.update(request["env"])
    if threads := os.environ.get("OMP_NUM_THREADS"):
        import torch

        torch.set_num_threads(int(threads))
    code: object = 1
    try:
        try:
            if request["script"]:
                import runpy

                sys.argv = [request["script"], *request["argv"]]
                runpy.run_path(request["script"], run_name="__main__")
            else:
                import evalkit.cli

                sys.argv = [evalkit.__file__.replace("__init__", "__main__"), *request["argv"]]
                evalkit.cli.main()
            code = 0
        except SystemExit as stop:
            code = stop.code
        if isinstance(code, str):
            print(code, file=sys.stderr)
            code = 1
        threading._shutdown()  # type: ignore[attr-defined]
        atexit._run_exitfuncs()
    except BaseException:
        traceback.print_exc()
        code = 1
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError):
            stream.flush()
    os._exit(code if isinstance(code, int) else 0)


def client(address: str, argv: list[str]) -> None:
    connection = socket.socket(socket.AF_UNIX)
    connection.connect(address)
    socket.send_fds(connection, [b"!"], [0, 1, 2])
    request = {"argv": argv, "cwd": os.getcwd(), "env": dict(os.environ), "script": None}  # noqa: PTH109
    connection.sendall(json.dumps(request).encode())
    connection.shutdown(socket.SHUT_WR)
    with connection.makefile("r") as lines:
        lines.readline()
        code = int(lines.readline())
    os._exit(code if code >= 0 else 128 - code)


if __name__ == "__main__":
    if sys.argv[1] == "serve":
        serve(sys.argv[2])
    else:
        client(sys.argv[2], sys.argv[3:])
