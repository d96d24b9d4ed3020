"""Requests that schemathesis makes of OpenAPI documents: right ones and wrong ones, always the same."""

from __future__ import annotations

import json
from contextlib import suppress
from functools import cache
from typing import Any
from urllib.parse import urlsplit

import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from lanes import Ask
from schemathesis import Case, GenerationMode

MODES = (GenerationMode.POSITIVE, GenerationMode.NEGATIVE)
EXAMPLES = 6
_SENT = {"user-agent", "accept-encoding", "accept", "connection", "x-schemathesis-testcaseid", "content-length"}
"""Headers of the client's own."""


@cache
def asks(document: str, mode: GenerationMode) -> tuple[Ask, ...]:
    """Requests for every operation of a document, which is JSON."""
    made: list[Ask] = []
    operations: Any = schemathesis.openapi.from_dict(json.loads(document)).get_all_operations()
    for operation in operations:

        @given(operation.ok().as_strategy(mode))
        @settings(max_examples=EXAMPLES, phases=[Phase.generate], deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck))
        def collect(case: Case[Any]) -> None:
            made.append(asked(case))

        with suppress(Unsatisfiable):  # there is no wrong request to what takes none of it
            collect()
    return tuple(made)


def asked(case: Case[Any]) -> Ask:
    """A case as a request."""
    sent = case.as_transport_kwargs(base_url="http://localhost:8000")
    request = requests.Request(**sent).prepare()
    url = urlsplit(str(request.url))
    headers = [(name, as_text(value)) for name, value in request.headers.items() if name.lower() not in _SENT]
    return Ask(str(request.method), (url.path or "/") + (f"?{url.query}" if url.query else ""), headers, as_bytes(request.body))


def as_bytes(body: Any) -> bytes:
    return body.encode() if isinstance(body, str) else body or b""


def as_text(value: str | bytes) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else value
