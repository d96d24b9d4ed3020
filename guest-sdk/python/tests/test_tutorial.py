"""FastAPI's tutorial and advanced guide (tests/guests/tutorial): the compiled lane, the ASGI lane and uvicorn give the same answers to the
byte, and the same ran for them."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator

import anyio.to_thread
import pytest
import tutorial
from fake_host import FakeHost
from lanes import Ask, Lanes
from tutorial import Server, framed, gist

from fasterapi._compiled import reasons
from fasterapi._wasm import threads


PATIENCE = 60
"""How many seconds a server may take to run what comes behind an answer."""


@pytest.fixture(scope="module")
def servers() -> Iterator[dict[str, Server]]:
    with tutorial.uvicorn(*tutorial.APPS) as servers:
        yield servers


@pytest.fixture(scope="module")
def pairs() -> Iterator[dict[str, Lanes]]:
    """Both lanes of every app."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(anyio.to_thread, "run_sync", threads._run_sync)
        patch.setattr("starlette.concurrency.run_in_threadpool", threads._run_in_threadpool)
        patch.setattr(logging.getLogger("fasterapi.error"), "disabled", True)  # what is raised on purpose is no news
        host = FakeHost()
        with host.running():
            pairs = {name: Lanes(host, tutorial.copy(name), tutorial.copy(name)) for name in tutorial.APPS}
            yield pairs
            for pair in pairs.values():
                pair.close()


def differences(pair: Lanes, server: Server, ask: Ask) -> Iterator[str]:
    """How the three disagree about a request."""
    method, target, headers, body = framed(ask)
    server.ran()
    server.close()  # uvicorn hangs up behind some answers, and may be about to
    theirs = gist(server.ask(ask))
    asgi, compiled, wanted, ran = pair.ask(method, target, headers, body)
    for lane, reply in (("the ASGI lane", gist(asgi)), ("the compiled lane", gist(compiled))):
        if reply != theirs:
            yield f"{method} {target} {headers} {body[:200]!r}\n  uvicorn: {theirs}\n  {lane}: {reply}"
    noted, deadline = server.ran(), time.monotonic() + PATIENCE
    while len(noted) < len(wanted) and time.monotonic() < deadline:
        noted += server.ran()  # there is more behind the answer
    for lane, did in (("the ASGI lane", wanted), ("the compiled lane", ran)):
        if did != noted:
            yield f"{method} {target} {headers} {body[:200]!r}\n  uvicorn ran {noted}\n  {lane} ran {did}"


@pytest.mark.parametrize("topic", tutorial.TOPICS)
def test_all_three_agree(servers: dict[str, Server], pairs: dict[str, Lanes], topic: str) -> None:
    name = topic if topic in tutorial.APPS else f"apps.{topic}" if f"apps.{topic}" in tutorial.APPS else "main"
    pair = pairs[name]
    found = [difference for ask in tutorial.requests(topic) for difference in differences(pair, servers[name], ask)]
    assert not found, "\n".join(found)
    assert pair.lane.support.pending is None


OWN_ROUTES = "it is a `Route`, not a path operation of FastAPI's"
STREAMS = "it streams its answer"
WITHOUT_PLAN = {
    "main": {
        "/openapi.json": OWN_ROUTES,
        "/docs": OWN_ROUTES,
        "/docs/oauth2-redirect": OWN_ROUTES,
        "/redoc": OWN_ROUTES,
        "/responses/stream/yields": STREAMS,
        "/responses/stream/yields/async": STREAMS,
        "/work/lines": STREAMS,
        "/work/lines/sync": STREAMS,
        "/work/lines/untyped": STREAMS,
        "/work/lines/from": STREAMS,
        "/work/events": STREAMS,
        "/work/events/own": STREAMS,
        "/work/events/sync": STREAMS,
        "/dependencies/limited": "`limited` limits its concurrency",
        "/operations/own/sum": "its class is `ErrorRoute`",
        "/operations/zipped/sum": "its class is `GzipRoute`",
        "/operations/limited/body": "`max_body_size` is set: the host has `--max-body-size`",
    },
    **{name: {path: OWN_ROUTES for path in ("/openapi.json", "/docs", "/docs/oauth2-redirect", "/redoc")} for name in ("apps.functions", "apps.handlers", "apps.layers")},
    "apps.shared": {
        "/api/v1/openapi.json": OWN_ROUTES,
        "/documentation": OWN_ROUTES,
        "/docs/oauth2-redirect": OWN_ROUTES,
        "": "it is a `Mount`, not a path operation of FastAPI's",
    },
}
"""Why routes of the tutorial stay in the ASGI lane. All others have a plan."""

WITHOUT_LANE = {"apps.proxied": "`root_path` is set"}
"""Why apps of it do."""


@pytest.mark.parametrize("name", tutorial.APPS)
def test_most_routes_have_a_plan(pairs: dict[str, Lanes], name: str) -> None:
    pair = pairs[name]
    assert reasons.of_app(pair.app) == WITHOUT_LANE.get(name)
    if name not in WITHOUT_LANE:
        assert {pair.routes[place].path: reason for place, reason in pair.lane.reasons.items()} == WITHOUT_PLAN[name]
    if name == "main":
        assert len(pair.lane.plans) > 180
