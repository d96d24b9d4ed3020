"""Two copies of an app, one in each lane, under the same requests. What is asked is what the host would ask."""

from __future__ import annotations

import json
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, unquote

import fastapi.routing
from fake_host import Err, FakeHost
from test_cycle import unframe

from fasterapi._compiled.lane import Lane
from fasterapi._compiled.plan import REPLAY, Plan, unpack
from fasterapi._wasm.fast import FastHttp

Headers = list[tuple[str, str]]
Reply = tuple[int, Headers, bytes]


class Copy(NamedTuple):
    """An app, and the list in which it notes what ran."""

    app: Any
    log: list[str]


class Ask(NamedTuple):
    """A request."""

    method: str
    target: str
    headers: Headers = []
    body: bytes = b""


class Lanes:
    """The two copies."""

    def __init__(self, host: FakeHost, reference: Copy, compiled: Copy) -> None:
        self.host = host
        self.app = compiled.app
        self._wanted, self._done = reference.log, compiled.log
        self.reference = FastHttp(host.scheduler, reference.app)
        self.routes = list(fastapi.routing.iter_route_contexts(self.app.routes))
        self.lane = Lane(self.app, self.routes)
        self.compiled = FastHttp(host.scheduler, self.app, self.lane)
        self.number = 0
        self.replayed = 0
        """Requests that a plan gave back, before its code ran or after it."""
        self.direct = 0
        """Requests that a plan answered."""
        self._started = [fast for fast in (self.reference, self.compiled) if self.lane.needs_start_up() or fast is self.compiled]
        for fast in self._started:
            self._run(fast.startup())

    def close(self) -> None:
        """Ends the apps."""
        for fast in self._started:
            self._run(fast.shutdown())

    def _run(self, work: Any) -> None:
        task = self.host.call(work)
        self.host.run()
        assert task.exited

    def plan(self, method: str, path: str) -> Plan | None:
        """What the host's router does."""
        for place, route in enumerate(self.routes):
            regex = getattr(route, "path_regex", None)
            if regex is not None and regex.match(path) and method in (route.methods or ()):
                number = self.lane.numbers.get(place)
                return None if number is None else self.lane.plans[number]
        return None

    def ask(self, method: str, target: str, headers: Headers, body: bytes) -> tuple[Reply, Reply, list[str], list[str]]:
        """Both answers, and what ran for each."""
        self.number += 1
        if all(task.exited for task in self.host.tasks):
            self.host.tasks.clear()
        path, _, query = target.partition("?")
        fields = [method, path, query, "http", "1.1", "127.0.0.1", "1", "localhost", "8000"]
        if not any(name == "host" for name, _ in headers):
            fields += ["host", "localhost:8000"]
        for name, value in headers:
            fields += [name.lower(), value]
        head = "\0".join(fields)
        self._wanted.clear()
        expected = self.handle(self.reference, head, body)
        wanted = list(self._wanted)
        self._done.clear()
        plan = self.plan(method, unquote(path))
        got = self.by_plan(plan, unquote(path), query, head, headers, body) or self.handle(self.compiled, head, body)
        return expected, got, wanted, list(self._done)

    def by_plan(self, plan: Plan | None, path: str, query: str, head: str, headers: Headers, body: bytes) -> Reply | None:
        """What the host does of a request that has a plan. None: it goes down the ASGI lane."""
        if plan is None or not takes(plan.needs.body, headers, body) or not query.isascii():
            return None
        values: dict[str, Any] = {name: capture(name, plan.route.path, path) for name in plan.needs.path}
        for name, value in parse_qsl(query, keep_blank_values=True):
            if plan.needs.query.get(name):
                values.setdefault(f"?{name}", []).append(value)
            elif name in plan.needs.query:
                values[f"?{name}"] = value
        for name, value in headers:
            if plan.needs.headers.get(name.lower()):
                values.setdefault(f"@{name.lower()}", []).append(value)
            elif name.lower() in plan.needs.headers:
                values.setdefault(f"@{name.lower()}", value)
        text = self.lane.call(
            self.number,
            self.lane.plans.index(plan),
            json.dumps(values, ensure_ascii=False),
            head if plan.needs.head else "",
            body if plan.needs.body or plan.needs.head else b"",
        )
        if text == REPLAY:
            self.replayed += 1
            return None
        self.direct += 1
        response = unpack(text, plan.status)
        return (
            response.status_code,
            [(name.decode(), value.decode("latin-1")) for name, value in response.raw_headers],
            b"" if head.startswith("HEAD") else bytes(response.body),
        )

    def handle(self, fast: FastHttp, head: str, body: bytes) -> Reply:
        """The ASGI lane's answer."""
        task = self.host.call(fast.handle(self.number, head, body, None))
        self.host.run()
        if isinstance(task.result, Err):  # the server answers it, and logs the traceback
            return 500, [], task.result.value.splitlines()[-1].encode()
        response = task.value
        status, *rest = response.head.split("\0")
        content = response.body.encode("latin-1")
        if response.rest is not None:
            more, whole = unframe(self.host.drain(response.rest))
            content += more if whole else more + b"(cut)"
        self.host.run()
        return int(status), list(zip(rest[::2], rest[1::2])), content


def takes(kind: str | None, headers: Headers, body: bytes) -> bool:
    """Whether the host gives a request to a plan with a body of this kind."""
    if kind is None:
        return True
    kinds = [value for name, value in headers if name.lower() == "content-type"]
    if len(kinds) != 1:
        return False
    main, _, sub = kinds[0].split(";")[0].strip().lower().partition("/")
    if kind == "json":
        return bool(body) and main == "application" and (sub == "json" or sub.endswith("+json")) and "/" not in sub
    return (main, sub) in (("multipart", "form-data"), ("application", "x-www-form-urlencoded"))


def capture(name: str, pattern: str, path: str) -> str:
    """A parameter of the path as the host takes it: a whole segment, or all from one on."""
    for place, segment in enumerate(pattern.split("/")):
        if segment == f"{{{name}:path}}":
            return path.split("/", place)[place]
        if segment in (f"{{{name}}}", f"{{{name}:str}}"):
            return path.split("/")[place]
    raise AssertionError(f"the host finds no {name} in {pattern}")
