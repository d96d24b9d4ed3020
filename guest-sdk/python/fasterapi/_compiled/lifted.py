"""Middleware of Starlette's that the host does in the app's place: CORS, TrustedHost, HTTPSRedirect, GZip.

None of them looks at more than the request's head, or waits for anything once the response is whole, so a host that knows their options gives the same
answer without Python. A plan then answers as if they were not there, and the host adds what they would; the ASGI lane has them as ever. Options that
are lists may be changed by the app while it runs: a plan that finds them changed gives its request to the ASGI lane.
"""

from __future__ import annotations

import sys
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from re import Pattern
from typing import Any

from starlette.middleware.cors import CORSMiddleware
from starlette.middleware.gzip import GZipMiddleware, GZipResponder, IdentityResponder
from starlette.middleware.httpsredirect import HTTPSRedirectMiddleware
from starlette.middleware.trustedhost import TrustedHostMiddleware

from . import patterns
from .reasons import builds_its_stack

_METHODS: dict[Any, tuple[str, ...]] = {
    CORSMiddleware: ("__call__", "is_allowed_origin", "preflight_response", "simple_response", "send", "allow_explicit_origin"),
    TrustedHostMiddleware: ("__call__",),
    HTTPSRedirectMiddleware: ("__call__",),
    GZipMiddleware: ("__call__",),
    IdentityResponder: ("__call__", "send_with_compression"),
    GZipResponder: ("__init__", "apply_compression", "_compress_body"),
}
_HELPERS: dict[Any, tuple[Any, ...]] = {GZipMiddleware: (IdentityResponder, GZipResponder)}
_FIXED = (str, int, bool, tuple, frozenset, Pattern, type(None))
_LISTS = (list, set)


@dataclass(frozen=True)
class Lifted:
    """What the host does."""

    layers: list[dict[str, Any]]
    """The outermost first, as the manifest has them."""
    _now: tuple[list[Any] | set[Any], ...]
    """The options that the app may change."""
    _before: tuple[list[Any] | set[Any], ...]

    def may_change(self) -> bool:
        """Whether it has an option that the app may change."""
        return bool(self._now)

    def is_changed(self) -> bool:
        """Whether the app has changed an option since."""
        return self._now != self._before


def of(app: Any) -> Lifted | None:
    """What the host can do of an app's middleware. None: not all of it."""
    if builds_its_stack(app):
        return None
    layers: list[dict[str, Any]] = []
    now: list[list[Any] | set[Any]] = []
    for middleware in app.user_middleware:
        given = (*middleware.args, *middleware.kwargs.values())
        if not _is_starlettes(middleware.cls) or not all(type(option) in _FIXED + _LISTS for option in given):
            return None
        layer = _layer(middleware.cls(None, *middleware.args, **middleware.kwargs))
        if layer is None:
            return None
        layers.append(layer)
        now += [option for option in given if type(option) in _LISTS]
    return Lifted(layers, tuple(now), tuple(option.copy() for option in now)) if layers else None


def _is_starlettes(cls: Any) -> bool:
    """Whether it is a class of Starlette's, as Starlette has it."""
    helpers = _HELPERS.get(cls, ())
    in_place = all(getattr(sys.modules[helper.__module__], helper.__name__) is helper for helper in helpers)
    return cls in _METHODS and in_place and all(_has_own_methods(own) for own in (cls, *helpers))


def _has_own_methods(cls: Any) -> bool:
    """A method that was replaced shows by where it is from."""
    return all(getattr(vars(cls).get(name), "__module__", None) == cls.__module__ for name in _METHODS[cls])


def _layer(middleware: Any) -> dict[str, Any] | None:
    if isinstance(middleware, CORSMiddleware):
        return _cors(middleware)
    if isinstance(middleware, GZipMiddleware):
        return _gzip(middleware)
    if isinstance(middleware, TrustedHostMiddleware):
        return {"kind": "trusted_host", "hosts": list(_words(middleware.allowed_hosts)), "any": middleware.allow_any}
    return {"kind": "https_redirect"}


def _cors(cors: CORSMiddleware) -> dict[str, Any] | None:
    regex = None if cors.allow_origin_regex is None else patterns.written(cors.allow_origin_regex)
    if isinstance(cors.allow_origins, str) or isinstance(cors.allow_methods, str) or (regex is None) != (cors.allow_origin_regex is None):
        return None
    return {
        "kind": "cors",
        "origins": list(_words(cors.allow_origins)),
        "origin_regex": regex,
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


def _gzip(gzip: GZipMiddleware) -> dict[str, Any] | None:
    sizes = (gzip.minimum_size, gzip.compresslevel, gzip.thread_minimum_size)
    level = {-1: 6}.get(gzip.compresslevel, gzip.compresslevel)  # zlib's usual one
    if any(type(size) is not int for size in sizes) or not 1 <= gzip.minimum_size < 1 << 32 or not 1 <= level <= 9:
        return None
    return {"kind": "gzip", "minimum_size": gzip.minimum_size, "level": level, "excluded": list(_words(gzip.exclude_content_types))}


def _words(texts: Collection[str]) -> Iterator[str]:
    for text in texts:
        if type(text) is not str or not text.isascii():
            raise ValueError(f"{text!r} is no plain text")
        yield text


def _pairs(headers: dict[str, str]) -> list[list[str]]:
    return [[name.lower(), *_words((value,))] for name, value in headers.items()]
