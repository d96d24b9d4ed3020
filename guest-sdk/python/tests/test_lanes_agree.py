"""Both lanes under requests that nobody thought of: paths, queries, headers and bodies made by Hypothesis, near what the routes take and far from it."""

from __future__ import annotations

import json
import string
from typing import Any
from urllib.parse import quote, quote_plus

import pytest
from fake_host import FakeHost
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from test_compiled import JSON, Both, quiet  # noqa: F401

pytestmark = pytest.mark.usefixtures("no_threads")

# What strings become numbers, dates and the like, and what only looks so.
WORDS = st.sampled_from(
    [
        "", "0", "1", "-1", "+1", " 1 ", "1.0", "1.5", "1e3", "1_000", "0x10", "NaN", "inf", "-0", "9" * 30, "9" * 5000, "\u0661", "true", "yes", "off", "None", "null",
        "2026-01-02", "2026-13-02", "2026-01-02T03:04:05Z", "1767322800", "00000000-0000-0000-0000-000000000005", "{}", "red", "blue", "aaa", "\u00e9", "\U0001f600", "a/b", "a b",
        "%", "%2F", "&", "=", "\x00", "\x7f", "\ufffd",
    ]
)  # fmt: skip
TEXT = WORDS | st.text(st.characters(codec="utf-8"), max_size=8)
NAMES = st.sampled_from(["q", "n", "many", "flag", "when", "id", "ratio", "amount", "Word-Of", "strict", "words", "made", "limit", "order", "tags", "x", "code", "token", "unknown", ""])
QUERY = st.lists(st.tuples(NAMES | TEXT, TEXT), max_size=6)
HEADERS = st.lists(
    st.tuples(
        st.sampled_from(["x-number", "x-many", "user-agent", "cookie", "authorization", "x-key", "accept"]),
        st.sampled_from(["1", "x", "", "session=a; N=2", "N=x; session", "Bearer t", "Basic x", "caf\xe9", ";=,"]),
    ),
    max_size=3,
)
SCALARS = st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | st.text(max_size=10) | WORDS
ANY = st.recursive(SCALARS, lambda below: st.lists(below, max_size=3) | st.dictionaries(st.text(max_size=4), below, max_size=3), max_leaves=12)
ITEM = st.fixed_dictionaries(
    {},
    optional={"id": st.integers() | SCALARS, "name": st.text(max_size=25) | SCALARS, "price": SCALARS, "tags": st.lists(st.text(max_size=3), max_size=2) | ANY, "when": WORDS | SCALARS, "more": ANY},
)
BODIES = ITEM | st.fixed_dictionaries({}, optional={"item": ITEM | ANY, "user": TEXT, "importance": SCALARS}) | ANY


@pytest.fixture(scope="module")
def both() -> Any:
    host = FakeHost()
    with host.running():
        yield Both(host)


def agree(both: Both, method: str, target: str, headers: list[tuple[str, str]], body: bytes) -> None:
    expected, got, wanted, ran = both.ask(method, target, headers, body)
    assert got == expected
    assert sorted(ran) == sorted(wanted)


common = settings(max_examples=400, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck))


@given(st.data())
@common
def test_paths_queries_and_headers(both: Both, data: st.DataObject) -> None:
    reading = [plan.route for plan in both.lane.plans if "GET" in plan.route.methods and plan.route.path not in ("/until-gone", "/responses/{kind}", "/plain/{kind}")]
    route = data.draw(st.sampled_from(reading))
    path = route.path_format
    for name in route.param_convertors:
        path = path.replace("{" + name + "}", quote(data.draw(TEXT), safe=data.draw(st.sampled_from(["", "/", string.punctuation]))).replace("?", "%3F").replace("\0", "%00"))
    query = "&".join(f"{quote_plus(name)}={quote_plus(value)}" for name, value in data.draw(QUERY))
    agree(both, "GET", f"{path}?{query}", data.draw(HEADERS), b"")


@given(path=st.sampled_from(["/items", "/embedded", "/any", "/echo", "/echo", "/optional", "/strict", "/request-body"]), body=BODIES)
@example("/any", [10**5000])
@example("/any", "\ud800")
@common
def test_bodies(both: Both, path: str, body: Any) -> None:
    try:
        text = json.dumps(body, ensure_ascii=False).encode("utf-8", "surrogatepass")
    except ValueError:  # an integer that Python itself does not write
        text = b"[1" + b"0" * 5000 + b"]"
    agree(both, "POST", path, JSON, text)
    agree(both, "PUT", "/items/3", JSON, text)


@given(st.binary(max_size=40) | st.text("{}[]\",:0123456789.eE+-truefalsn \\u", max_size=40).map(str.encode))
@example(b"\xef\xbb\xbf{}")
@example(b'{"a":1}\x00')
@example("[1]".encode("utf-16"))
@example(b"1e999999")
@example(b'"\x1f"')
@example(b"[1e-5, 1e15, 1e16, 123456789012345678, 5e-324, -0.0, 0.1]")
@common
def test_bytes_that_are_hardly_json(both: Both, body: bytes) -> None:
    agree(both, "POST", "/any", JSON, body)
    agree(both, "POST", "/echo", JSON, body)
    agree(both, "POST", "/items", JSON, body)


def test_both_lanes_were_asked(both: Both) -> None:
    """The requests above are near enough to what routes take: many were answered by plans, many were given back."""
    assert both.number > 1000
    assert both.direct > both.number // 8
    assert both.replayed > both.number // 8
