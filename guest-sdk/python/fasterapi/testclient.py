"""Starlette's `TestClient`, over two backends.

    from fasterapi.testclient import TestClient

    with TestClient(app) as client:
        assert client.get("/items/1").json() == {"id": 1}

`native`: the app as it is, in this Python, without WebAssembly. `component`: the app built by `fasterapi-host build` and served by
`fasterapi-host serve` in a process of its own; what is asked goes over HTTP. `pytest --fasterapi-backend=component` chooses, or the
variable FASTERAPI_TEST_BACKEND, or the client's own argument.

`FakePg` stands in for a database in the native backend.
"""

from __future__ import annotations

from ._testing.client import TestClient as TestClient
from ._testing.fake_pg import Expected as Expected, FakePg as FakePg

__all__ = ["Expected", "FakePg", "TestClient"]
