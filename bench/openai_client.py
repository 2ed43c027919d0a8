"""Does the client keep a server busy? The openai engine beside a bare asyncio load generator, in one run.

Both ask the same loopback server, which has a process of its own, for the same things at the same concurrency, several
times in turn. The server holds each request for a while, as a model does, and takes as many at once as it is sent.

    python bench/openai_client.py --concurrency 64,128,256 --delay 0.02:0.2
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
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from evalkit.engines.openai import OpenAIEngine, Options  # noqa: E402
from evalkit.types import Generate, Generated, Message, Sampling  # noqa: E402
from tests.helpers.loopback import Loopback  # noqa: E402

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


def paired(concurrency: int, rounds: int, waves: int, delay: list[float]) -> dict[str, Any]:
    """In turn, the first one changing: what else the machine does falls on both."""
    requests = waves * concurrency
    pairs = []
    with Loopback(delay=delay) as server:
        ours(server.url, 50, concurrency)  # imports
        for number in range(rounds):
            sides = (bare, ours)
            places = (server.port, server.url)
            order = (0, 1) if number % 2 == 0 else (1, 0)
            speeds = {side: sides[side](places[side], requests, concurrency) for side in order}  # type: ignore[operator]
            pairs.append((speeds[0], speeds[1]))
    ratios = [b / a for a, b in pairs]
    return {
        "concurrency": concurrency,
        "requests": requests,
        "bare": statistics.median(a for a, _ in pairs),
        "engine": statistics.median(b for _, b in pairs),
        "ratio": statistics.median(ratios),
        "lowest": min(ratios),
        "highest": max(ratios),
        "pairs": pairs,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--concurrency", default="64,128,256", help="several, with commas between")
    parser.add_argument("--delay", default="0.02:0.2", help="seconds that the server holds a request, from:to")
    parser.add_argument("--waves", type=int, default=30, help="requests in a run, as a multiple of the concurrency")
    parser.add_argument("--rounds", type=int, default=7, help="pairs of runs")
    parser.add_argument("--json", metavar="FILE")
    args = parser.parse_args()
    low, _, high = args.delay.partition(":")
    results = []
    print("concurrency  requests   bare/s  engine/s   median ratio (lowest to highest)")
    for concurrency in map(int, args.concurrency.split(",")):
        found = paired(concurrency, args.rounds, args.waves, [float(low), float(high or low)])
        results.append(found)
        print(
            f"{concurrency:11d}  {found['requests']:8d}  {found['bare']:7.1f}  {found['engine']:8.1f}"
            f"   {found['ratio']:.3f} ({found['lowest']:.3f} to {found['highest']:.3f})",
            flush=True,
        )
    if args.json:
        Path(args.json).write_text(json.dumps({"results": results, **vars(args)}, indent=1) + "\n")


if __name__ == "__main__":
    main()
