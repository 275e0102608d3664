"""A chat endpoint that speaks OpenAI's protocol: asked once, answered within limits, or not at all.

It may be slow, broken or hostile. No redirect is followed, no proxy of the environment is used, an answer has a most of bytes
and of seconds, whatever the other side does meanwhile.
"""

from __future__ import annotations

import contextlib
import json
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection
from urllib.parse import urlsplit

LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
MOST_BYTES = 64 << 10
MOST_TOKENS = 600
CALL_SECONDS = 10.0
"""The longest that one answer is waited for."""
_PATH = "/chat/completions"


class LanguageModelError(Exception):
    """There is no answer; the text says why and holds nothing of what was sent or received."""


def endpoint_fault(url: str) -> str | None:
    """Return what is wrong with the address of an endpoint, None for one that may be asked."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        return "is no address"
    if not host or parts.username is not None or parts.password is not None or parts.query or parts.fragment:
        return "must be an address without login, query or fragment, such as https://model.example/v1"
    if parts.scheme != "https" and not (parts.scheme == "http" and host in LOOPBACK):
        return "must begin with https://; http:// is for this machine only"
    return None


@dataclass(frozen=True)
class LanguageModel:
    """An endpoint, the model asked for, and the key to it. ``url`` ends before ``/chat/completions``."""

    url: str
    name: str
    key: str = field(default="", repr=False)
    call_seconds: float = CALL_SECONDS

    def complete(self, system: str, user: str, *, seconds: float) -> str:
        """Return the model's answer; LanguageModelError when there is none within ``seconds`` or it is not to be used."""
        if endpoint_fault(self.url) is not None:
            raise LanguageModelError("the address may not be asked")
        limit = min(seconds, self.call_seconds)
        if limit <= 0:
            raise LanguageModelError("no time left")
        ends_at = time.monotonic() + limit
        try:
            with _connected(self._connection(limit), ends_at) as connection:
                return self._asked(connection, system, user, ends_at)
        except (OSError, HTTPException, ValueError, RecursionError) as fault:
            raise LanguageModelError(f"no answer ({type(fault).__name__})") from None

    def _connection(self, limit: float) -> HTTPConnection:
        parts = urlsplit(self.url)
        host = parts.hostname or ""
        if parts.scheme == "https":
            return HTTPSConnection(host, parts.port, timeout=limit, context=ssl.create_default_context())
        return HTTPConnection(host, parts.port, timeout=limit)

    def _asked(self, connection: HTTPConnection, system: str, user: str, ends_at: float) -> str:
        body = {
            "model": self.name,
            "messages": [{"role": "system", "content": system}, {"role": "user", "content": user}],
            "temperature": 0.3,
            "max_tokens": MOST_TOKENS,
            "stream": False,
        }
        headers = {"Content-Type": "application/json", "Accept": "application/json", "Accept-Encoding": "identity"}
        if self.key:
            headers["Authorization"] = f"Bearer {self.key}"
        path = urlsplit(self.url).path.rstrip("/").removesuffix(_PATH) + _PATH
        connection.request("POST", path, json.dumps(body, ensure_ascii=False).encode(), headers)
        with connection.getresponse() as response:
            if response.status != HTTPStatus.OK:
                raise LanguageModelError(f"status {response.status}")
            return _content(_read(response, ends_at))


def _read(response: HTTPResponse, ends_at: float) -> bytes:
    content = bytearray()
    while part := response.read1(MOST_BYTES):
        content += part
        if len(content) > MOST_BYTES:
            raise LanguageModelError("the answer is too long")
        if time.monotonic() > ends_at:
            raise LanguageModelError("the answer is too slow")
    return bytes(content)


def _content(answer: bytes) -> str:
    """Return the text of an answer in the protocol's form."""
    try:
        text = json.loads(answer)["choices"][0]["message"]["content"]
    except (KeyError, IndexError, TypeError):
        text = None
    if not isinstance(text, str):
        raise LanguageModelError("the answer has another form")
    return text


@contextlib.contextmanager
def _connected(connection: HTTPConnection, ends_at: float) -> Iterator[HTTPConnection]:
    """Connect until the block ends, or ``ends_at``: a time-out of the socket begins anew with every byte."""
    connection.connect()
    line = connection.sock
    cut = threading.Timer(max(0.0, ends_at - time.monotonic()), _cut, [line])
    cut.daemon = True
    cut.start()
    try:
        yield connection
    finally:
        cut.cancel()
        connection.close()
        line.close()


def _cut(line: socket.socket) -> None:
    """End a conversation that takes too long: whoever waits for a byte of it is told so by the system."""
    with contextlib.suppress(OSError):
        line.shutdown(socket.SHUT_RDWR)
