"""A server on the loopback that writes tasks: what it answers follows from the prompt and its seed alone.

`with Scripted(words) as url:` gives the address. Only the model's answers are made up; the engine that asks is the real
one.
"""

from __future__ import annotations

import hashlib
import json
import random
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

__all__ = ["Served", "scripted", "writes_tasks"]


class Served:
    def __init__(self, url: str) -> None:
        self.url = url
        self.prompts: list[str] = []


@contextmanager
def scripted(answer: Callable[[str, random.Random], str]) -> Iterator[Served]:
    """`answer` gets a prompt and random numbers that belong to it and to the seed that was sent."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            if self.path.endswith("/embeddings"):
                vectors = [[float(text.count(letter)) for letter in "abcdefgh"] for text in body["input"]]
                self.reply({"data": [{"index": i, "embedding": v} for i, v in enumerate(vectors)]})
                return
            prompt = body["messages"][-1]["content"] if "messages" in body else body["prompt"]
            served.prompts.append(prompt)
            digest = hashlib.sha256(f"{prompt}\0{body.get('seed')}".encode()).hexdigest()
            text = answer(prompt, random.Random(digest))
            message = {"message": {"role": "assistant", "content": text}, "text": text, "finish_reason": "stop"}
            used = {"prompt_tokens": len(prompt) // 4 + 1, "completion_tokens": len(text) // 4 + 1}
            self.reply({"choices": [{"index": 0, **message}], "usage": used})

        def reply(self, content: dict[str, Any]) -> None:
            data = json.dumps(content).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    served = Served(f"http://127.0.0.1:{server.server_port}/v1")
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield served
    finally:
        server.shutdown()
        server.server_close()


WHAT = (
    *("고객 문의", "요리법", "여행 일정", "계약서", "회의록", "시험 문제", "뉴스 기사", "일기", "편지", "광고 문구"),
    *("이력서", "시", "소설", "논문 초록", "제품 설명", "주식 시세", "등산로", "치과 예약", "자전거 수리", "김장"),
)
HOW = ("공손하게", "짧게", "자세하게", "어린이도 알게", "표로", "세 문장으로", "반말로", "존댓말로", "번호를 붙여")
VERBS = ("요약하세요", "고쳐 쓰세요", "설명하세요", "분류하세요", "비교하세요", "평가하세요", "이어 쓰세요")


def writes_tasks(prompt: str, rng: random.Random) -> str:
    """Korean tasks with some that must fall, classes and instances, as a chat model writes them."""
    if prompt.endswith("분류 과제?"):
        return "예" if "분류하세요" in prompt.rsplit("과제:", 1)[1] else "아니요."
    if "마지막 과제의 예시" in prompt:
        task = prompt.rstrip().rsplit("\n", 1)[-1]
        if prompt.split("\n", 1)[0].count("분류"):
            return f"분류: 긍정\n{task} 자료 {rng.randrange(10**6)}"
        subject, number = rng.choice(WHAT), rng.randrange(10**6)
        return f"입력: {task} 자료 {number}\n출력: {subject}에 관한 답 {number}"
    lines = []
    for number in range(9, 17):
        text = " ".join([*rng.sample(WHAT, 3), *rng.sample(HOW, 1), rng.choice(VERBS)])
        if number == 12:
            text = rng.choice(["다음 사진을 보고 설명하세요", "Write a poem about the sea", text + ":"])
        lines.append(f"{number}. {text}")
    return "\n".join(lines)
