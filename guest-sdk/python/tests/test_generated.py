"""The tutorial under requests that schemathesis makes of its OpenAPI documents: right ones and wrong ones, always the same."""

from __future__ import annotations

import logging
from contextlib import suppress
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests
import schemathesis
import tutorial
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from lanes import Ask, Lanes
from schemathesis import Case, GenerationMode
from test_tutorial import differences, pairs, servers  # noqa: F401
from tutorial import Server

EXAMPLES = 6
_SENT = {"user-agent", "accept-encoding", "accept", "connection", "x-schemathesis-testcaseid", "content-length"}
"""Headers of the client's own."""


def operations(name: str) -> list[Any]:
    """The operations of an app, from its document."""
    found: Any = schemathesis.openapi.from_dict(tutorial.copy(name).app.openapi()).get_all_operations()
    return [operation.ok() for operation in found]


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


@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE], ids=str)
@pytest.mark.parametrize("name", [name for name in tutorial.APPS if name != "apps.layers"])
def test_all_three_agree(servers: dict[str, Server], pairs: dict[str, Lanes], name: str, mode: GenerationMode, caplog: pytest.LogCaptureFixture) -> None:  # noqa: F811
    caplog.set_level(logging.CRITICAL, "python_multipart")
    found: list[str] = []
    for operation in operations(name):

        @given(operation.as_strategy(mode))
        @settings(max_examples=EXAMPLES, phases=[Phase.generate], deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck))
        def agree(case: Case[Any]) -> None:
            found.extend(differences(pairs[name], servers[name], asked(case)))

        with suppress(Unsatisfiable):  # there is no wrong request to what takes none of it
            agree()
    assert not found, f"{len(found)}\n" + "\n".join(found[:20])
