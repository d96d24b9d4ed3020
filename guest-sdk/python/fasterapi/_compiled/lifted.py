"""Middleware of Starlette's that the host does in the app's place: CORS, TrustedHost, HTTPSRedirect.

None of them looks at more than the request's head, or changes more than the response's headers, so a host that knows their options gives the same
answer without Python. A plan then answers as if they were not there, and the host adds what they would; the ASGI lane has them as ever. Options that
are lists may be changed by the app while it runs: a plan that finds them changed gives its request to the ASGI lane.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any

from starlette.middleware.cors import CORSMiddleware
from starlette.middleware.httpsredirect import HTTPSRedirectMiddleware
from starlette.middleware.trustedhost import TrustedHostMiddleware

_CLASSES: dict[Any, tuple[str, ...]] = {
    CORSMiddleware: ("__call__", "is_allowed_origin", "preflight_response", "simple_response", "send", "allow_explicit_origin"),
    TrustedHostMiddleware: ("__call__",),
    HTTPSRedirectMiddleware: ("__call__",),
}
_COLLECTIONS = (list, tuple, set, frozenset)


@dataclass(frozen=True)
class Lifted:
    """What the host does."""

    layers: list[dict[str, Any]]
    """The outermost first, as the manifest has them."""
    _kept: list[tuple[Collection[Any], list[Any]]]

    def is_changed(self) -> bool:
        """Whether the app has changed an option since."""
        return any(list(now) != before for now, before in self._kept)


def of(app: Any) -> Lifted | None:
    """What the host can do of an app's middleware. None: not all of it."""
    layers: list[dict[str, Any]] = []
    kept: list[tuple[Collection[Any], list[Any]]] = []
    for middleware in app.user_middleware:
        if not _is_starlettes(middleware.cls):
            return None
        layer = _layer(middleware.cls(None, *middleware.args, **middleware.kwargs))
        if layer is None:
            return None
        layers.append(layer)
        given = (*middleware.args, *middleware.kwargs.values())
        kept += [(option, list(option)) for option in given if isinstance(option, _COLLECTIONS)]
    return Lifted(layers, kept) if layers else None


def _is_starlettes(cls: Any) -> bool:
    """A method that was replaced shows by where it is from."""
    return all(getattr(vars(cls).get(name), "__module__", None) == cls.__module__ for name in _CLASSES.get(cls, ("no such method",)))


def _layer(middleware: Any) -> dict[str, Any] | None:
    if isinstance(middleware, CORSMiddleware):
        return _cors(middleware)
    if isinstance(middleware, TrustedHostMiddleware):
        return {"kind": "trusted_host", "hosts": list(_words(middleware.allowed_hosts)), "any": middleware.allow_any}
    return {"kind": "https_redirect"}


def _cors(cors: CORSMiddleware) -> dict[str, Any] | None:
    lists = (cors.allow_origins, cors.allow_methods)
    if cors.allow_origin_regex is not None or not all(isinstance(option, _COLLECTIONS) for option in lists):
        return None
    return {
        "kind": "cors",
        "origins": list(_words(cors.allow_origins)),
        "methods": list(_words(cors.allow_methods)),
        "headers": list(_words(cors.allow_headers)),
        "all_origins": cors.allow_all_origins,
        "all_headers": cors.allow_all_headers,
        "credentials": bool(cors.allow_credentials),
        "explicit_preflight": bool(cors.preflight_explicit_allow_origin),
        "private_network": bool(cors.allow_private_network),
        "simple": _pairs(cors.simple_headers),
        "preflight": _pairs(cors.preflight_headers),
    }


def _words(texts: Collection[str]) -> Iterator[str]:
    for text in texts:
        if type(text) is not str or not text.isascii():
            raise ValueError(f"{text!r} is no plain text")
        yield text


def _pairs(headers: dict[str, str]) -> list[list[str]]:
    return [[name.lower(), *_words((value,))] for name, value in headers.items()]
