"""The one file that imports ray: a cluster of this machine's own, or one that runs already, and the actors on it.

Every call that needs the cluster's head has a deadline, since Ray waits for ever where the head is gone.
"""

from __future__ import annotations

import contextlib
import importlib
import logging
import os
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from evalkit.engines.ray import nearby
from evalkit.engines.ray.guard import Guard
from evalkit.engines.ray.replica import Replica, Setup
from evalkit.errors import EngineError, UsageError

__all__ = ["Access", "Call", "Cluster", "Gone", "Handle", "Unreachable", "visible_gpus"]

_T = TypeVar("_T")

_HEAD = 45.0
"""Seconds that a call to the cluster's head may take; starting a cluster takes up to 30 on a busy machine."""
_ANSWER = 20.0
"""Seconds that the head of a running cluster gets for its first answer."""
_START = 90.0
"""Seconds that the daemons of a local cluster get to start."""
_LEAVE = 6.0
_KILL = 2.0
_LONGEST_FOLDER = 20
"""Ray's sockets lie in its folder, and the path of a socket has 107 bytes at most."""
_PASSED_ON = ("HF_HOME", "HF_HUB_CACHE", "HF_HUB_OFFLINE", "HF_DATASETS_OFFLINE", "TOKENIZERS_PARALLELISM")
"""Variables that replicas on a running cluster get from this process. Never a key."""
_OURS = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",  # binds a local cluster to the loopback
    "RAY_gcs_rpc_server_reconnect_timeout_s": "100000",  # else Ray ends this process when the head is gone
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "RAY_prestart_worker_first_driver": "0",  # else a process for each core, though a replica needs but one
    "RAY_worker_register_timeout_seconds": "600",  # else one that starts slower than 60 s is ended, and begins again
}

Handle = Any
"""A Ray actor."""
Call = Any
"""A call that was sent to an actor."""


@dataclass(frozen=True, slots=True)
class Gone:
    """The actor has ended."""

    reason: str


@dataclass(frozen=True, slots=True)
class Unreachable:
    """The actor could not be reached; whether it got the call is not known."""

    reason: str


@dataclass(frozen=True, slots=True)
class Access:
    """Where a cluster is, and what a replica on it gets."""

    address: str
    token: str | None
    """Of a cluster that was started for this run alone; None of one that was running."""
    gpus_each: int
    cpus_each: int
    env: Mapping[str, str]


class _Variables:
    """Variables that are set as long as Ray is used: its daemons inherit them, and it reads them again later."""

    def __init__(self, variables: Mapping[str, str]) -> None:
        self._before = {name: os.environ.get(name) for name in variables}
        os.environ.update(variables)

    def restore(self) -> None:
        for name, value in self._before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


class Cluster:
    """Starts replicas, calls them, and ends them."""

    def __init__(
        self,
        ray: Any,
        variables: _Variables,
        folder: str | None,
        gpus_each: int,
        cpus_each: int,
        token: str | None = None,
        guard: Guard | None = None,
    ) -> None:
        self._ray = ray
        self._token = token
        self._variables = variables
        self._folder = folder
        self._guard = guard
        self.gpus_each = gpus_each
        self._cpus = cpus_each
        self._daemons = _daemons() if folder is not None else []
        self.replica: type[Replica] = Replica
        """What an actor is made of."""
        self._env: dict[str, str] = {}
        self._ending: list[threading.Thread] = []
        self._restore_printing = _silence_ray()

    @property
    def access(self) -> Access:
        """What another process of this machine needs to join this cluster."""
        address = self._ray.get_runtime_context().gcs_address
        return Access(address, self._token, self.gpus_each, self._cpus, self._env)

    @classmethod
    def local(cls, replicas: int, gpus_each: int) -> Cluster:
        """A cluster for this run alone, which listens on the loopback only."""
        cores = os.cpu_count() or 1
        cpus_each = max(1, cores // replicas)
        folder, guard = _guarded_folder()
        token = secrets.token_hex(32)
        variables = _Variables(_with_token(token))
        try:
            ray = _connect(
                {
                    "num_cpus": max(cores, replicas * cpus_each),
                    "include_dashboard": False,
                    "object_store_memory": 80 << 20,
                    "_node_ip_address": "127.0.0.1",
                    "_temp_dir": folder,
                },
            )
        except BaseException:
            variables.restore()
            guard.close()
            raise
        return cls(ray, variables, folder, gpus_each, cpus_each, token, guard)

    @classmethod
    def running(cls, address: str, gpus_each: int) -> Cluster:
        """A cluster that runs already. `auto` finds the one that this machine belongs to."""
        variables = _Variables(_OURS)
        try:
            ray = _connect({"address": address})
        except BaseException:
            variables.restore()
            raise
        cluster = cls(ray, variables, None, gpus_each, 1)
        cluster._env = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
        return cluster

    @classmethod
    def join(cls, access: Access) -> Cluster:
        """A cluster that another process of this run has started or joined. Closing it leaves the cluster alone."""
        variables = _Variables(_OURS if access.token is None else _with_token(access.token))
        own = {"_node_ip_address": "127.0.0.1"} if access.token is not None else {}
        try:
            ray = _connect({"address": access.address, **own})
        except BaseException:
            variables.restore()
            raise
        cluster = cls(ray, variables, None, access.gpus_each, access.cpus_each, access.token)
        cluster._env = dict(access.env)
        return cluster

    def gpus(self) -> int:
        """All GPUs of the cluster."""
        total = _within(_HEAD, "asking the cluster for its GPUs", self._ray.cluster_resources)
        return int(total.get("GPU", 0))

    def spawn(self, setup: Setup, name: str | None = None) -> Handle:
        """Ask for a replica. It is there once a call to it returns. `name`: by which another process can adopt it."""
        options: dict[str, Any] = {"max_concurrency": 4, "max_restarts": 0, "max_task_retries": 0}
        options |= {"num_cpus": self._cpus, "num_gpus": self.gpus_each, "scheduling_strategy": "SPREAD"}
        if self._env:
            options["runtime_env"] = {"env_vars": self._env}
        if name is not None:
            options["name"] = name
        return _within(
            _HEAD, "starting a replica", lambda: self._ray.remote(self.replica).options(**options).remote(setup)
        )

    def adopt(self, name: str) -> Handle:
        """The replica that another process has asked for under this name. EngineError where there is none."""
        until = time.monotonic() + _HEAD
        while True:
            try:
                return _within(_HEAD, "finding a replica", lambda: self._ray.get_actor(name))
            except ValueError:
                if time.monotonic() > until:
                    raise EngineError(f"replica {name} is not there") from None
                time.sleep(0.1)

    def call(self, handle: Handle, method: str, *args: object) -> Call:
        return getattr(handle, method).remote(*args)

    def ready(self, calls: Sequence[Call], patience: float) -> Sequence[Call]:
        """The calls that have returned; waits for the first one, at most `patience` seconds."""
        done, rest = self._ray.wait(list(calls), num_returns=1, timeout=patience, fetch_local=True)
        if done and rest:
            more, _ = self._ray.wait(rest, num_returns=len(rest), timeout=0, fetch_local=True)
            done += more
        return list(done)

    def result(self, call: Call) -> Any:
        """What a call that has returned gave: its value, Gone or Unreachable."""
        errors = self._ray.exceptions
        try:
            return self._ray.get(call, timeout=5)
        except errors.ActorUnavailableError as error:
            return Unreachable(_short(error))
        except (errors.RayActorError, errors.WorkerCrashedError, errors.ObjectLostError) as error:
            return Gone(_short(error))
        except errors.GetTimeoutError:
            return Unreachable("its answer did not arrive")
        except errors.RayTaskError as error:
            return Gone(_short(error))

    def kill(self, handle: Handle) -> None:
        """End a replica, and not wait for it."""
        thread = threading.Thread(target=self._kill, args=(handle,), daemon=True)
        thread.start()
        self._ending = [other for other in self._ending if other.is_alive()] + [thread]

    def close(self) -> None:
        """Leave the cluster. One that was started here is ended, by force if it must be."""
        until = time.monotonic() + _KILL
        for thread in self._ending:
            thread.join(max(0.0, until - time.monotonic()))
        with contextlib.suppress(EngineError):
            _within(_LEAVE, "leaving the cluster", self._ray.shutdown)
        self._restore_printing()
        for daemon in self._daemons:
            daemon.kill()  # nothing happens where Ray has ended it: its number may be another process's by now
        self._daemons = []
        self._variables.restore()
        if self._guard is not None:
            self._guard.close()

    def _kill(self, handle: Handle) -> None:
        with contextlib.suppress(Exception):
            self._ray.kill(handle, no_restart=True)


def visible_gpus() -> int:
    """The GPUs of this machine that this process may use."""
    named = os.environ.get("CUDA_VISIBLE_DEVICES")
    if named is not None:
        return len([name for name in named.split(",") if name.strip() not in ("", "-1")])
    try:
        listed = subprocess.run(["nvidia-smi", "-L"], capture_output=True, text=True, timeout=20, check=True).stdout
    except (OSError, subprocess.SubprocessError):
        return 0
    return sum(line.startswith("GPU ") for line in listed.splitlines())


def _guarded_folder() -> tuple[str, Guard]:
    """A folder for a cluster of this run alone, and the process that deletes it."""
    try:
        short = len(tempfile.gettempdir()) <= _LONGEST_FOLDER
        folder = tempfile.mkdtemp(prefix="evalkit-ray-", dir=None if short else "/tmp")
    except OSError as error:
        raise EngineError(
            f"Ray's cluster has no folder: {error.strerror or error}; TMPDIR says where it lies"
        ) from None
    try:
        return folder, Guard(folder)
    except BaseException as error:
        shutil.rmtree(folder, ignore_errors=True)
        if isinstance(error, OSError):
            reason = error.strerror or str(error)
            raise EngineError(f"the process that ends Ray's cluster could not be started: {reason}") from None
        raise


def _connect(options: dict[str, Any]) -> Any:
    with _own_signal_handlers():
        import ray

        if ray.is_initialized():
            raise EngineError("this process uses Ray already: --replicas needs a process of its own")
        _read_variables_again()
        if "address" in options:
            _check_answers(options["address"])
        try:
            with _needed_daemons(), _patient_start():
                # In this thread, and without a deadline of ours: a thread that ends takes Ray's connection with it.
                ray.init(logging_level=logging.ERROR, log_to_driver=False, namespace="evalkit", **options)
        except ConnectionError as error:
            where = options.get("address", "a cluster of its own")
            raise UsageError(f"--cluster {where}: no Ray cluster answers there ({_short(error)})") from None
        except Exception as error:
            raise EngineError(f"Ray could not be started: {_short(error)}") from error
    return ray


def _check_answers(address: str) -> None:
    """UsageError if no head of a cluster answers there: Ray would wait for it for ever."""
    where = (nearby.address() or address) if address == "auto" else address
    host, _, port = where.rpartition(":")
    if not (host and port.isdigit()):
        return  # a cluster that Ray has to find
    named = f"--cluster {address}" if where == address else f"--cluster {address}, which is {where}"
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=_ANSWER).close()
        _within(_ANSWER, "asking the head", lambda: _ask_head(where))
    except (OSError, EngineError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise UsageError(f"{named}: no Ray cluster answers there ({reason})") from None


def _ask_head(address: str) -> None:
    """Return once the head has answered. An error is left to Ray, which says later what is wrong."""
    raylet: Any = importlib.import_module("ray._raylet")
    with contextlib.suppress(Exception):
        raylet.GcsClient(address=address).check_alive([], timeout=5)


def _with_token(token: str) -> dict[str, str]:
    return {**_OURS, "RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": token}


@contextlib.contextmanager
def _needed_daemons() -> Iterator[None]:
    """Start no API server: even without a dashboard it asks the addresses of three clouds where it runs.

    Nor what asks clouds for more machines, and what collects logs: each takes a second of a processor to start.
    """
    node: Any = importlib.import_module("ray._private.node").Node
    usual = {name: getattr(node, name) for name in ("start_api_server", "start_monitor", "start_log_monitor")}

    def start_none(self: Any, **_: object) -> None:
        self._webui_url = ""

    for name in usual:
        setattr(node, name, start_none)
    try:
        yield
    finally:
        for name, start in usual.items():
            setattr(node, name, start)


@contextlib.contextmanager
def _patient_start() -> Iterator[None]:
    """Wait longer for the daemons than the 30 seconds that Ray waits: a busy machine may need more."""
    services: Any = importlib.import_module("ray._private.services")
    get_node = services.get_node

    def wait_for_node(*args: Any, **named: Any) -> Any:
        until = time.monotonic() + _START
        while True:
            try:
                return get_node(*args, **named)
            except RuntimeError:
                if time.monotonic() > until:
                    raise
                time.sleep(0.2)

    services.get_node = wait_for_node
    try:
        yield
    finally:
        services.get_node = get_node


def _silence_ray() -> Callable[[], None]:
    """Keep Ray from printing its errors to this process's standard output: the fleet tells of losses itself.

    Returns what undoes it.
    """
    worker: Any = importlib.import_module("ray._private.worker")
    usual = worker.print_to_stdstream
    worker.print_to_stdstream = lambda *_, **__: None

    def restore() -> None:
        worker.print_to_stdstream = usual

    return restore


def _read_variables_again() -> None:
    """Ray reads its variables when it is imported, and keeps the token: another cluster may have had another one."""
    with contextlib.suppress(ImportError, AttributeError):
        raylet: Any = importlib.import_module("ray._raylet")
        raylet.Config.initialize("")
        raylet.AuthenticationTokenLoader.instance().reset_cache()


@contextlib.contextmanager
def _own_signal_handlers() -> Iterator[None]:
    """Keep this process's handlers: Ray replaces that of SIGTERM by one that aborts."""
    numbers = (signal.SIGTERM, signal.SIGINT)
    before = {number: signal.getsignal(number) for number in numbers}
    try:
        yield
    finally:
        if threading.current_thread() is threading.main_thread():
            for number, handler in before.items():
                signal.signal(number, handler)


def _within(seconds: float, doing: str, function: Callable[[], _T]) -> _T:
    """Call a function that may never return. EngineError after so many seconds."""
    result: list[_T] = []
    problem: list[BaseException] = []

    def call() -> None:
        try:
            result.append(function())
        except BaseException as error:
            problem.append(error)

    thread = threading.Thread(target=call, daemon=True)
    thread.start()
    thread.join(seconds)
    if problem:
        raise problem[0]
    if not result:
        raise EngineError(f"{doing}: no answer within {seconds:.0f} s")
    return result[0]


def _daemons() -> list[subprocess.Popen[bytes]]:
    """The processes of the cluster that this process has just started."""
    import ray

    node = ray._private.worker._global_node
    if node is None:
        return []
    return [info.process for infos in node.all_processes.values() for info in infos]


def _short(error: BaseException) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return (lines[0] if lines else type(error).__name__)[:300]
