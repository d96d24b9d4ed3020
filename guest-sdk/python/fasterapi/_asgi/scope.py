"""The ASGI scope of an HTTP request, as uvicorn makes it."""

from __future__ import annotations

from typing import Any
from urllib.parse import unquote

from .types import Scope

# 2.3 as uvicorn's: Starlette then listens for the disconnect of a streamed response and cancels its generator; from 2.4 on it would
# only learn of it from the next `send`.
_ASGI = {"version": "3.0", "spec_version": "2.3"}


def from_head(head: str, state: dict[str, Any]) -> Scope:
    """The scope of a packed head (`http.handle` in wit/world.wit)."""
    fields = head.encode("latin-1").split(b"\0")
    method, raw_path, query, scheme, version, client, client_port, server, server_port = fields[:9]
    return make(
        method=method.decode("latin-1"),
        raw_path=raw_path,
        query=query,
        scheme=scheme.decode("latin-1"),
        version=version.decode("latin-1"),
        client=(client.decode("latin-1"), int(client_port)) if client else None,
        server=(server.decode("latin-1"), int(server_port)) if server else None,
        headers=list(zip(fields[9::2], fields[10::2])),
        state=state,
    )


def path_of(head: str) -> str:
    """The path alone."""
    return _decoded(head.split("\0", 2)[1])


def make(
    *,
    method: str,
    raw_path: bytes,
    query: bytes,
    scheme: str,
    version: str,
    client: tuple[str, int] | None,
    server: tuple[str, int] | None,
    headers: list[tuple[bytes, bytes]],
    state: dict[str, Any],
) -> Scope:
    """A scope. `state` is the lifespan's: the request gets a shallow copy."""
    return {
        "type": "http",
        "asgi": _ASGI.copy(),
        "http_version": version,
        "server": server,
        "client": client,
        "scheme": scheme,
        "method": method,
        "root_path": "",
        "path": _decoded(raw_path.decode("latin-1")),
        "raw_path": raw_path,
        "query_string": query,
        "headers": headers,
        "state": state.copy(),
    }


def _decoded(path: str) -> str:
    return unquote(path) if "%" in path else path
