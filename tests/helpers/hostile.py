"""A server on the loopback that answers as a test says: one function from request to raw reply."""

from __future__ import annotations

import json
import threading
from array import array
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from evalkit.engines.openai import OpenAIEngine, Options
from evalkit.errors import EngineError
from evalkit.types import Answer, Generate, Message, Sampling

__all__ = ["HostileServer", "Reply", "answered", "ask", "collect"]


@dataclass
class Reply:
    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    hold: threading.Event | None = None
    """Sent only when this is set."""


def answered(text: str = "4", **more: Any) -> Reply:
    """A chat completion; `more` joins its body (`usage`, `model`)."""
    body = {"choices": [{"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}]}
    return Reply(200, json.dumps({**body, **more}).encode(), {"Content-Type": "application/json"})


class HostileServer:
    """`respond` gets the path, the headers and the parsed body of each request."""

    def __init__(self, respond: Callable[[str, dict[str, str], Any], Reply]) -> None:
        self.requests: list[tuple[str, dict[str, str]]] = []
        served = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                headers = {name.lower(): value for name, value in self.headers.items()}
                body = json.loads(self.rfile.read(int(headers.get("content-length", 0))))
                served.requests.append((self.path, headers))
                reply = respond(self.path, headers, body)
                if reply.hold is not None:
                    reply.hold.wait(60)
                try:
                    self.send_response(reply.status)
                    for name, value in {**reply.headers, "Content-Length": str(len(reply.body))}.items():
                        self.send_header(name, value)
                    self.end_headers()
                    self.wfile.write(reply.body)
                except OSError:
                    self.close_connection = True

            def log_message(self, format: str, *args: Any) -> None:
                pass

        class Server(ThreadingHTTPServer):
            def handle_error(self, request: Any, client_address: Any) -> None:
                """A client that hangs up is part of most tests."""

        self._server = Server(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.port = self._server.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}/v1"

    def __enter__(self) -> HostileServer:
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_: Any) -> None:
        self._server.shutdown()
        self._server.server_close()


def ask(number: int, most: int = 8) -> Generate:
    """A request for at most `most` tokens, with its number in the text."""
    return Generate((number,), array("i"), Sampling(most), (0,), (Message("user", f"question {number}"),))


def collect(url: str, count: int, **options: Any) -> tuple[dict[int, Answer], OpenAIEngine, EngineError | None]:
    """The answers, the engine, and the error that ended the stream."""
    engine = OpenAIEngine("fake", Options(base_url=url, **options))
    answers: dict[int, Answer] = {}
    try:
        for answer in engine.run(ask(number) for number in range(count)):
            answers[answer.id] = answer
    except EngineError as error:
        return answers, engine, error
    finally:
        engine.close()
    return answers, engine, None
