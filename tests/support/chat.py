"""A chat endpoint on this machine that speaks OpenAI's protocol, as well or as badly as a test wants."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Say = Callable[[dict[str, Any], BaseHTTPRequestHandler], None]
"""Answers one request: the body that came, and the connection."""


@dataclass
class Endpoint:
    """A running endpoint: its address, and what it was asked."""

    url: str
    asked: list[dict[str, Any]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)


@contextmanager
def chat(say: Say) -> Iterator[Endpoint]:
    """Run an endpoint until the block ends."""
    made = Endpoint("")

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            made.asked.append(body)
            made.headers.append(dict(self.headers.items()))
            made.paths.append(self.path)
            try:
                say(body, self)
            except OSError:
                self.close_connection = True  # whoever asked has gone

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    made.url = f"http://127.0.0.1:{server.server_port}/v1"
    try:
        yield made
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def sentences(body: dict[str, Any]) -> list[str]:
    """Return the sentences that are to be put in other words."""
    told: list[str] = json.loads(body["messages"][1]["content"])["句子"]
    return told


def send(handler: BaseHTTPRequestHandler, content: bytes, status: int = 200, **headers: str) -> None:
    """Send an answer."""
    handler.send_response(status)
    handler.send_header("Content-Type", "application/json")
    handler.send_header("Content-Length", str(len(content)))
    for name, value in headers.items():
        handler.send_header(name, value)
    handler.end_headers()
    handler.wfile.write(content)


def answer(handler: BaseHTTPRequestHandler, text: str) -> None:
    """Send a text as the protocol has it."""
    message = {"role": "assistant", "content": text}
    send(handler, json.dumps({"choices": [{"index": 0, "message": message, "finish_reason": "stop"}]}).encode())


def good(body: dict[str, Any], handler: BaseHTTPRequestHandler) -> None:
    """Say the same, politely."""
    answer(handler, "我们关注贵公司已久。" + "".join(sentences(body)) + "园区愿与贵公司携手，期待进一步合作。")


def inventing(body: dict[str, Any], handler: BaseHTTPRequestHandler) -> None:
    """Add a number that nobody knows."""
    answer(handler, "".join(sentences(body)) + "贵公司去年产值达 98765 万元。")


def dripping(_: dict[str, Any], handler: BaseHTTPRequestHandler) -> None:
    """Send a byte now and then, without end."""
    handler.send_response(200)
    handler.end_headers()
    while True:
        handler.wfile.write(b" ")
        time.sleep(0.05)


def dripping_headers(_: dict[str, Any], handler: BaseHTTPRequestHandler) -> None:
    """Begin an answer and never come to its end."""
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nX-Slow: ")
    while True:
        handler.wfile.write(b"a")
        time.sleep(0.05)


def silent(_: dict[str, Any], handler: BaseHTTPRequestHandler) -> None:
    """Say nothing for longer than anybody waits."""
    time.sleep(8)


def garbage(_: dict[str, Any], handler: BaseHTTPRequestHandler) -> None:
    """Speak no HTTP."""
    handler.wfile.write(b"\x00\x01\x02 no protocol at all\r\n\r\n")


def nonsense(_: dict[str, Any], handler: BaseHTTPRequestHandler) -> None:
    """Send JSON of another form."""
    send(handler, b'{"choices": [{"message": {"content": 7}}]}')


def nested(_: dict[str, Any], handler: BaseHTTPRequestHandler) -> None:
    """Send JSON that is deeper than anybody reads."""
    send(handler, b"[" * 60_000)


def huge(_: dict[str, Any], handler: BaseHTTPRequestHandler) -> None:
    """Send without end, fast."""
    handler.send_response(200)
    handler.end_headers()
    while True:
        handler.wfile.write(b"x" * 65536)


def broken(_: dict[str, Any], handler: BaseHTTPRequestHandler) -> None:
    """Fail."""
    send(handler, b"boom", status=500)
