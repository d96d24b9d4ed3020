"""Stands in for a2wsgi, whose middleware needs threads: its names over the SDK's own adapter."""

from __future__ import annotations

from typing import Any

from fasterapi._asgi.wsgi import Wsgi


class WSGIMiddleware(Wsgi):
    """A WSGI application as an ASGI application. What concerns threads is ignored."""

    def __init__(self, app: Any, workers: int = 10, send_queue_size: int = 10) -> None:
        super().__init__(app)


class ASGIMiddleware:
    """The other direction needs a WSGI server, which there is none of here."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        raise RuntimeError("a2wsgi.ASGIMiddleware does not work here: serve the ASGI application itself")
