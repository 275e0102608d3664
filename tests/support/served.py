"""An application behind a real address, for those who talk HTTP: browsers and other people's clients."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from flask import Flask
from werkzeug.serving import make_server

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication


@contextmanager
def serving(app: Flask) -> Iterator[str]:
    """Serve ``app`` until the block ends; give its address."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)  # a line a request, after the test's output is closed
    web = make_server("127.0.0.1", 0, _closing(app), threaded=True)
    thread = threading.Thread(target=web.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{web.server_port}"
    finally:
        web.shutdown()
        thread.join()
        web.server_close()


def _closing(app: WSGIApplication) -> WSGIApplication:
    """Close every answer, also one that a browser leaves half read: the server forgets it then, with its file open."""

    def read(answer: Iterable[bytes]) -> Iterator[bytes]:
        try:
            yield from answer
        finally:
            if isinstance(answer, Closable):
                answer.close()

    return lambda environ, start: read(app(environ, start))


@runtime_checkable
class Closable(Protocol):
    """What a server has to close when it is done with it (PEP 3333)."""

    def close(self) -> None:
        """Let go of what it holds."""
