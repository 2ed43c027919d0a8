"""One exchange with a server: sends a request once, and classifies the reply.

The `openai` package says where to and with which headers. The bytes go through aiohttp: the package's own transport
takes milliseconds of CPU a request, which is what would keep a fast server waiting.
"""

from __future__ import annotations

import asyncio
import email.utils
import json
import math
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote, urlsplit
from urllib.request import getproxies, proxy_bypass

from evalkit.engines.openai.keys import NO_KEY, Key
from evalkit.scrub import mark_value
from evalkit.types import JsonObject

__all__ = ["Broken", "Ok", "Overloaded", "Refused", "Reply", "Server", "read_reply"]

_REDIRECTS = 4
_LONGEST_ESCAPED = 40
"""Bytes that an escape of HTML takes for one letter of a key (`&#x0073;`), in UTF-32."""


@dataclass(frozen=True, slots=True)
class Ok:
    body: JsonObject


@dataclass(frozen=True, slots=True)
class Overloaded:
    """The server asks to wait."""

    retry_after: float | None
    reason: str


@dataclass(frozen=True, slots=True)
class Broken:
    """No answer, because of the server or the network. Another try may help."""

    reason: str
    unreachable: bool = False
    charged: bool = False
    """Whether the server may have done the work all the same, and may charge for it."""


@dataclass(frozen=True, slots=True)
class Refused:
    """The server refuses the request. The same request again would not help."""

    status: int
    reason: str
    param: str | None = None
    code: str | None = None


Reply = Ok | Overloaded | Broken | Refused


class Server:
    def __init__(self, base_url: str, key: Key, most: int, most_bytes: int) -> None:
        """`most`: requests at once. `most_bytes`: the longest reply that is read, unpacked."""
        import openai

        client = openai.AsyncOpenAI(base_url=base_url, api_key=key.value, max_retries=0)
        self.base_url = str(client.base_url).rstrip("/")
        self.package = f"openai {openai.__version__}"
        # The package fills some headers in for a request only; what remains here are texts.
        headers = {**client.default_headers, **client.auth_headers}
        self._headers = {name: value for name, value in headers.items() if isinstance(value, str)}
        self._headers |= {"Accept": "application/json", "Content-Type": "application/json"}
        if key.authorization is not None:
            self._headers["Authorization"] = key.authorization
        self._key = key
        self._proxy = _proxy(self.base_url)
        self._most = most
        self._most_bytes = most_bytes
        self._session: Any = None

    async def post(self, path: str, body: JsonObject, timeout: float) -> Reply:
        import aiohttp

        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=self._most + 8, ttl_dns_cache=600),
                headers=self._headers,
                proxy=self._proxy,
                timeout=aiohttp.ClientTimeout(total=None, sock_connect=10),
            )
        data = json.dumps(body, ensure_ascii=False).encode("utf-8", "replace")
        try:
            async with asyncio.timeout(timeout):
                return await self._exchange(self.base_url + path, data)
        except TimeoutError:
            return Broken(f"no answer in {timeout:.0f} s", charged=True)
        except aiohttp.ClientConnectorError as error:
            return Broken(f"cannot connect to {self.base_url}: {error.os_error.strerror or error.os_error}", True)
        except (aiohttp.ClientError, OSError, ValueError) as error:
            reason = self._key.strike(f"the connection broke ({type(error).__name__}: {error})")
            return Broken(reason[:300], charged=True)

    async def _exchange(self, url: str, data: bytes) -> Reply:
        from yarl import URL

        for _ in range(_REDIRECTS):
            async with self._session.post(url, data=data, allow_redirects=False) as response:
                status, headers = response.status, response.headers
                target = response.url.join(URL(headers["Location"])) if "Location" in headers else None
                same_server = target is not None and target.origin() == response.url.origin()
                content = await self._read(response) if not 300 <= status < 400 else b""
            if content is None:
                why = f"the server sent more than {self._most_bytes >> 20} MiB; for more: max_reply_mb=…"
                return Broken(why, charged=True)
            if status in (307, 308) and same_server:
                url = str(target)
                continue
            if 300 <= status < 400:
                # The key is for this scheme, host and port only. Other codes would change the request to a GET.
                where = "nowhere" if target is None else str(target.with_user(None))
                reason = f"HTTP {status}: sent on to {where}; give that address, if it is right"
                return Refused(status, self._key.strike(reason))
            return read_reply(status, headers, content, self._key)
        return Refused(310, "HTTP 3xx: sent on and on")

    async def _read(self, response: Any) -> bytes | None:
        """The unpacked body; None if it is longer than the limit."""
        parts: list[bytes] = []
        size = 0
        async for part in response.content.iter_any():
            size += len(part)
            if size > self._most_bytes:
                response.close()
                return None
            parts.append(part)
        return b"".join(parts)

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None


def _proxy(url: str) -> str | None:
    """The proxy of HTTP_PROXY and similar variables, read once. The session would read them for every request."""
    parts = urlsplit(url)
    if proxy_bypass(parts.netloc):
        return None
    proxies = getproxies()
    proxy = proxies.get(parts.scheme) or proxies.get("all")
    mark_value(unquote(urlsplit(proxy or "").password or ""), "proxy password")
    return proxy


def read_reply(status: int, headers: Mapping[str, str], content: bytes, key: Key = NO_KEY) -> Reply:
    """Classify a reply. The key is removed from everything that is kept of it."""
    parsed = _parsed(content, key)
    if status == 200:
        return _body(parsed, content, headers.get("Content-Type", ""), key)
    message, param, code = _error(parsed, content, key)
    reason = f"HTTP {status}: {message}" if message else f"HTTP {status}"
    if status == 429 and code == "insufficient_quota":
        return Refused(402, reason, param, code)
    if status in (429, 503, 529):
        return Overloaded(_retry_after(headers), reason)
    if status in (408, 409, 425) or status >= 500:
        return Broken(reason)
    return Refused(status, reason, param, code)


class _NotJson:
    pass


def _parsed(content: bytes, key: Key) -> Any:
    """The JSON value with the key removed from its texts. Before parsing, escapes or UTF-16 may hide the key."""
    try:
        return key.strike_all(json.loads(content), content)
    except (ValueError, RecursionError):
        return _NotJson()


def _start(content: bytes, length: int, key: Key) -> str:
    """The beginning of a reply that is no JSON. It is cut after the key is gone, of which a part would stay."""
    longest = max(map(len, key.secrets), default=0)
    text = content[: 4 * length + _LONGEST_ESCAPED * longest].decode("utf-8", "replace").replace("\0", "")
    return key.strike(text)[:length]


def _body(body: Any, content: bytes, kind: str, key: Key) -> Reply:
    if "html" in kind or "event-stream" in kind:
        return Broken(f"the server sent {kind.split(';')[0]} where JSON was wanted")
    if isinstance(body, _NotJson):
        return Broken(f"the server sent what is not JSON ({kind or 'no content type'}: {_start(content, 60, key)!r})")
    if not isinstance(body, dict):
        return Broken(f"the server sent a JSON {type(body).__name__} where an object was wanted")
    if body.get("error") and not body.get("choices"):
        # Some gateways answer 200 with an error in the body.
        message, _, _ = _error(body, content, key)
        return Broken(f"the server sent an error with status 200: {message}")
    if isinstance(body.get("data"), list) and body["data"] and "choices" not in body:
        return Ok(body)  # embeddings
    if not isinstance(body.get("choices"), list) or not body["choices"]:
        return Broken("the server sent no choices")
    return Ok(body)


def _error(error: Any, content: bytes, key: Key) -> tuple[str, str | None, str | None]:
    """Message, parameter and code of an error's body."""
    if isinstance(error, _NotJson):
        return " ".join(_start(content, 200, key).split()), None, None
    if isinstance(error, dict):
        inner = error.get("error", error)
        if isinstance(inner, dict):
            message = inner.get("message") or inner.get("detail") or ""
            param, code = inner.get("param"), inner.get("code")
            return str(message)[:500], param and str(param), None if code is None else str(code)
        return str(inner)[:500], None, None
    return str(error)[:500], None, None


def _retry_after(headers: Mapping[str, str]) -> float | None:
    """The seconds to wait, from seconds or a date, or from `retry-after-ms` of OpenAI and Azure."""
    for name, unit in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        value = headers.get(name)
        if value is None:
            continue
        try:
            seconds = float(value) * unit
        except ValueError:
            try:
                seconds = email.utils.parsedate_to_datetime(value).timestamp() - time.time()
            except ValueError:
                continue
        if math.isfinite(seconds):
            return min(max(seconds, 0.0), 600.0)
    return None
