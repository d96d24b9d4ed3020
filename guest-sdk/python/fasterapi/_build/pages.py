"""The pages that show an app's OpenAPI document, as long as they are FastAPI's own."""

from __future__ import annotations

import sys
from types import CodeType
from typing import Any

_SHOWN = ("swagger_ui_html", "redoc_html")
_ALL = ("openapi", "swagger_ui_redirect", *_SHOWN)
_MAKERS = ("get_swagger_ui_html", "get_redoc_html", "get_swagger_ui_oauth2_redirect_html")


def shows_docs(route: Any) -> bool:
    """Whether a route answers with such a page: its scripts and styles are FastAPI's choice, which the host may serve itself."""
    return _is_own(route, _SHOWN)


def is_own(route: Any) -> bool:
    """Whether a route answers with such a page, or with the document."""
    return _is_own(route, _ALL)


def _is_own(route: Any, names: tuple[str, ...]) -> bool:
    applications, docs = sys.modules.get("fastapi.applications"), sys.modules.get("fastapi.openapi.docs")
    if applications is None or docs is None or any(getattr(applications, name) is not getattr(docs, name) for name in _MAKERS):
        return False
    code = getattr(getattr(route, "endpoint", None), "__code__", None)
    return any(isinstance(own, CodeType) and own.co_name in names and own == code for own in applications.FastAPI.setup.__code__.co_consts)
