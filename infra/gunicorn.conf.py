"""How gunicorn serves the pages and the API: `marketplace serve` starts it with this file.

Threads, because requests wait for the database and for other houses' services: with a wait of 0.3 s, two synchronous
workers answered 5.6 requests a second, two of eight threads 38 to 44.
"""

import gc
import os
from typing import Any

from marketplace import wsgi  # read once, here: the web processes are forked from it and share its memory
from marketplace.settings import Settings

gc.freeze()  # or the collector's marks would copy what is shared
_settings = Settings.from_environment()

wsgi_app = f"{wsgi.__name__}:application()"
bind = f"{_settings.host}:{_settings.port}"
worker_class = "gthread"
workers = 2
threads = 8
timeout = 60
graceful_timeout = 20
keepalive = 5
max_requests = 20_000  # a leak somewhere in a library stays small
max_requests_jitter = 2_000
limit_request_line = 8190
forwarded_allow_ips = "127.0.0.1,::1"  # only a proxy on this machine may say who the caller is
control_socket_disable = True
accesslog = None  # the program writes one structured line for each request
errorlog = "-"
loglevel = "warning"


def child_exit(_server: Any, worker: Any) -> None:
    """Forget the gauges of a web process that ended (only when the processes share their metrics)."""
    if os.environ.get("PROMETHEUS_MULTIPROC_DIR"):
        from prometheus_client import multiprocess

        multiprocess.mark_process_dead(worker.pid)  # type: ignore[no-untyped-call]
