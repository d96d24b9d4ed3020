"""Dependencies: functions, classes, instances; below each other; in decorators; with `yield` in both scopes; cached and not."""

from collections.abc import AsyncIterator, Iterator
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, HTTPException, Request, Response
from ran import note

router = APIRouter(prefix="/dependencies", tags=["dependencies"])


async def common(q: str | None = None, skip: int = 0, limit: int = 100):
    note("common")
    return {"q": q, "skip": skip, "limit": limit}


Common = Annotated[dict[str, Any], Depends(common)]


@router.get("/items")
async def items(common: Common):
    return common


@router.get("/users")
def users(common: Common, again: Annotated[dict[str, Any], Depends(common)]):
    return [common, again is common]


class Paging:
    def __init__(self, q: str | None = None, skip: int = 0, limit: int = 100) -> None:
        note("paging")
        self.q, self.skip, self.limit = q, skip, limit


@router.get("/class")
async def class_(paging: Annotated[Paging, Depends()]):
    return [str(number) for number in range(100)[paging.skip : paging.skip + paging.limit]][:5] + [paging.q or ""]


def query(q: str | None = None):
    note("query")
    return q


def query_or_cookie(request: Request, q: Annotated[str | None, Depends(query)]):
    note("query or cookie")
    return q or request.cookies.get("last_query")


@router.get("/sub")
async def sub(q: Annotated[str | None, Depends(query_or_cookie)]):
    return {"q": q}


@router.get("/uncached")
async def uncached(a: Annotated[Any, Depends(query)], b: Annotated[Any, Depends(query, use_cache=False)], c: Annotated[Any, Depends(query)]):
    return [a, b, c]


async def verify_token(x_token: Annotated[str, Header()]):
    note("token")
    if x_token != "fake-token":
        raise HTTPException(400, "X-Token header invalid")


async def verify_key(x_key: Annotated[str, Header()]):
    note("key")
    if x_key != "fake-key":
        raise HTTPException(400, "X-Key header invalid")
    return x_key


@router.get("/decorator", dependencies=[Depends(verify_token), Depends(verify_key)])
async def decorator():
    note("decorator")
    return [{"item": "Foo"}]


class Contains:
    def __init__(self, fixed: str) -> None:
        self.fixed = fixed

    def __call__(self, q: str = "") -> bool:
        return self.fixed in q

    async def later(self, q: str = "") -> bool:
        return q.endswith(self.fixed)


contains_bar = Contains("bar")


@router.get("/instance")
async def instance(found: Annotated[bool, Depends(contains_bar)], ends: Annotated[bool, Depends(contains_bar.later)]):
    return {"found": found, "ends": ends}


def sets_headers(response: Response, request: Request):
    response.headers["x-by-dependency"] = request.method
    response.status_code = 202


@router.get("/response", dependencies=[Depends(sets_headers)])
def response():
    return "set by a dependency"


# --- yield ---


class OwnerError(Exception):
    pass


def session(name: str = "session") -> Iterator[str]:
    note("open session")
    try:
        yield name
    except OwnerError as error:
        note("owner error")
        raise HTTPException(400, f"Owner error: {error}") from error
    except HTTPException as error:
        note(f"saw {error.status_code}")
        raise
    finally:
        note("close session")


async def transaction(session: Annotated[str, Depends(session)]) -> AsyncIterator[str]:
    note("begin")
    try:
        yield f"{session} in a transaction"
    except Exception:
        note("roll back")
        raise
    else:
        note("commit")


@router.get("/yield/{what}")
def with_session(what: str, session: Annotated[str, Depends(session)]):
    note("endpoint")
    if what == "owner":
        raise OwnerError("Rick")
    if what == "missing":
        raise HTTPException(404, "not here")
    return session


@router.get("/yield/async/{what}")
async def with_transaction(what: str, transaction: Annotated[str, Depends(transaction)]):
    note("endpoint")
    if what == "owner":
        raise OwnerError("Morty")
    if what == "missing":
        raise HTTPException(404, "not here")
    return transaction


@router.get("/function/{what}")
def function_scope(what: str, session: Annotated[str, Depends(session, scope="function")]):
    note("endpoint")
    if what == "owner":
        raise OwnerError("Summer")
    if what == "missing":
        raise HTTPException(404, "not here")
    return session


@router.get("/function/async/{what}")
async def function_scope_async(
    what: str, both: Annotated[str, Depends(transaction, scope="request")], session: Annotated[str, Depends(session, scope="function")]
):
    note("endpoint")
    if what == "owner":
        raise OwnerError("Beth")
    return [both, session]


def changes_response(response: Response) -> Iterator[None]:
    yield
    response.headers["x-late"] = "after the endpoint"
    note("changed")


@router.get("/function-changes", dependencies=[Depends(changes_response, scope="function")])
def function_changes():
    note("endpoint")
    return "changed?"


def fails_late() -> Iterator[int]:
    yield 1
    note("late")
    raise HTTPException(409, "too late or not")


@router.get("/late/function")
def late_function(n: Annotated[int, Depends(fails_late, scope="function")]):
    return n


@router.get("/late/request")
def late_request(n: Annotated[int, Depends(fails_late)]):
    return n


def swallows() -> Iterator[int]:
    try:
        yield 1
    except OwnerError:
        note("swallowed")


@router.get("/swallowed/{scope}")
def swallowed(scope: str, n: Annotated[int, Depends(swallows)]):
    raise OwnerError("nobody hears it")


@router.get("/swallowed-function")
def swallowed_function(n: Annotated[int, Depends(swallows, scope="function")]):
    raise OwnerError("nobody hears it")


def limited(q: str = "limited"):
    return q


@router.get("/limited")
def with_limit(q: Annotated[str, Depends(limited, max_concurrency=2)]):
    return q


def in_router(x_router: Annotated[str, Header()] = "none") -> str:
    note(f"router {x_router}")
    return x_router


inner = APIRouter(prefix="/inner", dependencies=[Depends(in_router)], responses={418: {"description": "a teapot"}}, tags=["inner"])
outer = APIRouter(prefix="/outer", dependencies=[Depends(verify_key)])


@inner.get("/")
@inner.get("/{name}")
def in_inner(name: str = "root"):
    return {"name": name}


outer.include_router(inner)
outer.include_router(inner, prefix="/again", tags=["again"])
router.include_router(outer)
