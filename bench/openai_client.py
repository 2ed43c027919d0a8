"""Does the client keep a server busy? The openai engine beside a bare asyncio load generator, in one run.

Both ask the same loopback server for the same things, at the same concurrency, several times in turn. The server holds
each request for a while, as a model does, and takes as many at once as it is sent.

    python bench/openai_client.py --requests 2000 --concurrency 32 --delay 0.05
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import sys
import time
from array import array
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from evalkit.engines.openai import OpenAIEngine, Options  # noqa: E402
from evalkit.types import Generate, Generated, Message, Sampling  # noqa: E402
from tests.loopback import Loopback  # noqa: E402

PROMPT = "Judge this answer. " * 100


def bare(port: int, requests: int, concurrency: int) -> float:
    """Requests a second of coroutines that write bytes and read bytes, and do nothing else but parse the JSON."""

    async def run() -> float:
        left = iter(range(requests))

        async def worker() -> None:
            reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=2**20)
            for number in left:
                writer.write(_request(number))
                head = (await reader.readuntil(b"\r\n\r\n")).lower()
                length = int(head.split(b"content-length:")[1].split(b"\r\n")[0])
                json.loads(await reader.readexactly(length))
            writer.close()

        began = time.perf_counter()
        await asyncio.gather(*(worker() for _ in range(concurrency)))
        return requests / (time.perf_counter() - began)

    return asyncio.run(run())


def _request(number: int) -> bytes:
    body = {
        "model": "fake",
        "messages": [{"role": "user", "content": f"{PROMPT} item-{number}"}],
        "max_tokens": 8,
        "temperature": 0.0,
        "logprobs": True,
        "top_logprobs": 20,
    }
    data = json.dumps(body).encode()
    head = f"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Length: {len(data)}\r\n\r\n"
    return head.encode() + data


def ours(url: str, requests: int, concurrency: int) -> float:
    """Requests a second from the first item handed in to the last answer, the ramp at the start included."""
    sampling = Sampling(8, extra=(("top_logprobs", 20),))
    engine = OpenAIEngine("fake", Options(base_url=url, max_concurrency=concurrency))
    work = (
        Generate((n,), array("i"), sampling, text=(Message("user", f"{PROMPT} item-{n}"),)) for n in range(requests)
    )
    began = time.perf_counter()
    answered = sum(isinstance(answer, Generated) for answer in engine.run(work))
    seconds = time.perf_counter() - began
    engine.close()
    assert answered == requests
    return requests / seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=2000)
    parser.add_argument("--concurrency", type=int, default=32)
    parser.add_argument("--delay", type=float, default=0.05, help="seconds that the server holds a request")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", metavar="FILE")
    args = parser.parse_args()
    pairs = []
    with Loopback(delay=args.delay) as server:
        ours(server.url, 50, args.concurrency)  # imports
        for number in range(args.rounds):
            sides = [
                lambda: bare(server.port, args.requests, args.concurrency),
                lambda: ours(server.url, args.requests, args.concurrency),
            ]
            # In turn, the first one changing: what else the machine does falls on both.
            order = (0, 1) if number % 2 == 0 else (1, 0)
            speeds = {side: sides[side]() for side in order}
            pairs.append((speeds[0], speeds[1]))
            print(f"bare {speeds[0]:8.1f}/s   openai engine {speeds[1]:8.1f}/s   ratio {speeds[1] / speeds[0]:.3f}")
    ratio = statistics.median(b / a for a, b in pairs)
    best = max(b for _, b in pairs) / max(a for a, _ in pairs)
    print(f"median ratio {ratio:.3f}, best against best {best:.3f} (concurrency {args.concurrency}, {args.delay:g} s)")
    if args.json:
        result = {"pairs": pairs, "median_ratio": ratio, "best_ratio": best, **vars(args)}
        Path(args.json).write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
