"""What a response can be."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from uuid import UUID

from fastapi import APIRouter, BackgroundTasks, Response
from fastapi.responses import HTMLResponse, JSONResponse, PlainTextResponse, RedirectResponse
from pydantic import BaseModel

router = APIRouter(prefix="/responses")


class Point(BaseModel):
    x: int = 1
    y: int | None = None


@router.get("/none")
def none():
    return None


@router.get("/text", response_class=PlainTextResponse)
def text():
    return "plain ünïcode 🐍"


@router.get("/html", response_class=HTMLResponse)
def html():
    return "<h1>ünïcode</h1>"


@router.get("/bytes")
def data():
    return Response(bytes(range(256)), media_type="application/octet-stream")


@router.get("/json")
def json():
    return {"ünï": "🐍 \u2028 \x00 \"", "numbers": [0.1, 1e-7, 1e300, -0.0, 2**53, 10**30], "nested": {"a": [None, True, {}]}}


@router.get("/types")
def types():
    moment = datetime(2024, 2, 29, 12, 30, 0, 5, UTC)
    return {
        "decimal": Decimal("1.50"),
        "moment": moment,
        "naive": moment.replace(tzinfo=None),
        "day": moment.date(),
        "length": timedelta(days=1, seconds=2, microseconds=3),
        "id": UUID(int=5),
        "set": {1},
        "point": Point(),
    }


@router.get("/model")
def model() -> Point:
    return Point(y=2)


@router.get("/models", response_model=list[Point], response_model_exclude_none=True)
def models():
    return [{"x": 3}, {"x": 4, "y": 5}]


@router.get("/wrong-model", response_model=Point)
def wrong_model():
    return {"x": "no number"}


@router.get("/large")
def large(count: int = 5000):
    return [{"id": number, "name": f"name {number} ü", "price": number / 7} for number in range(count)]


@router.get("/nan")
def nan():
    return JSONResponse({"nan": float("nan")})


@router.get("/redirect")
def redirect(to: str = "/responses/text", status: int = 307):
    return RedirectResponse(to, status)


@router.get("/status/{status}")
def status(status: int):
    return Response(status_code=status)


@router.get("/status-with-body/{status}")
def status_with_body(status: int):
    return Response(b"a body where none may be", status_code=status)


@router.get("/no-content", status_code=204)
def no_content():
    return None


@router.get("/cookies")
def cookies(response: Response):
    response.set_cookie("a", "1", max_age=60, httponly=True, samesite="strict")
    response.set_cookie("b", "zwei drei", path="/b", secure=True)
    response.delete_cookie("c")
    return {"cookies": 3}


@router.get("/headers")
def headers():
    response = PlainTextResponse("headers")
    for name, value in (("X-Many", "1"), ("x-many", "2"), ("X-Empty", ""), ("x-latin", "é"), ("Vary", "a"), ("vary", "b")):
        response.headers.append(name, value)
    return response


@router.get("/own-length")
def own_length():
    return Response("12345", headers={"content-length": "5", "etag": '"x"', "cache-control": "no-store"})


@router.get("/own-server")
def own_server():
    return Response("x", headers={"server": "mine", "date": "Thu, 01 Jan 1970 00:00:00 GMT"})


@router.get("/created", status_code=201)
def created(response: Response, tasks: BackgroundTasks):
    response.headers["location"] = "/somewhere"
    tasks.add_task(print, "created")
    return {"created": True}


@router.api_route("/get-and-head", methods=["GET", "HEAD"], include_in_schema=False)
def get_and_head():
    return {"method": "either"}


@router.head("/only-head")
def only_head():
    return Response(headers={"x-head": "1", "content-length": "12345"})


@router.options("/options")
def options():
    return {"options": True}


@router.delete("/delete")
def delete(reason: str = ""):
    return {"deleted": reason}
