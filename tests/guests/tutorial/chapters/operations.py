"""Path operations themselves: what their documentation says, the request read directly, requests and routes of one's own."""

import gzip
import json
from collections.abc import Callable
from typing import Annotated, Any

from fastapi import APIRouter, Body, FastAPI, HTTPException, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from pydantic import BaseModel, HttpUrl, ValidationError
from ran import note

router = APIRouter(prefix="/operations", tags=["operations"])


class Item(BaseModel):
    name: str
    price: float = 1.0


class Message(BaseModel):
    message: str


@router.get(
    "/described/{item_id}",
    response_model=Item,
    summary="Reads an item",
    response_description="The item found",
    deprecated=True,
    operation_id="read_described",
    responses={404: {"model": Message, "description": "not found"}, 200: {"content": {"image/png": {}}, "description": "an item or its picture"}},
    openapi_extra={"x-aperture-labs-portal": "blue"},
    name="a name of its own",
)
async def described(item_id: str, img: bool | None = None):
    """
    Reads an item, with *all* that it has.

    - **item_id**: its id
    \f
    This part is for readers of the code alone.
    """
    if img:
        return Response(b"\x89PNG", media_type="image/png")
    return Item(name=item_id) if item_id == "foo" else Response(b'{"message":"not found"}', 404, media_type="application/json")


callbacks = APIRouter()


@callbacks.post("{$callback_url}/invoices/{$request.body.id}", response_model=Message)
def invoice_notification(body: Item):
    pass


@router.post("/invoices", callbacks=callbacks.routes)
def invoices(invoice: Item, callback_url: HttpUrl | None = None):
    return {"msg": "received", "callback": callback_url}


def install(app: FastAPI) -> None:
    @app.webhooks.post("new-subscription")
    def new_subscription(body: Item):
        """Sent to you, when somebody subscribes."""


@router.get("/hidden", include_in_schema=False)
def hidden():
    return "hidden"


@router.get("/request/{item_id}")
async def request(item_id: str, request: Request):
    return {
        "host": request.client.host if request.client else None,
        "url": str(request.url),
        "for": str(request.url_for("request", item_id="x")),
        "path": request.path_params,
        "cookies": request.cookies,
    }


@router.post("/magic", openapi_extra={"requestBody": {"content": {"text/plain": {"schema": Item.model_json_schema()}}, "required": True}})
async def magic(request: Request):
    raw = await request.body()
    try:
        return Item.model_validate(dict(line.split("=", 1) for line in raw.decode().splitlines() if "=" in line))
    except (ValidationError, UnicodeDecodeError) as error:
        raise HTTPException(422, str(type(error).__name__)) from error


@router.post("/json")
async def whole_json(request: Request):
    return {"json": await request.json()}


@router.post("/form")
async def whole_form(request: Request):
    async with request.form() as form:
        return sorted(form.keys())


@router.post("/parts")
async def parts(request: Request):
    length = 0
    async for part in request.stream():
        length += len(part)
    return {"length": length}


@router.get("/trace")
@router.head("/trace")
def traced(response: Response):
    response.headers["x-traced"] = "1"
    return "body of GET and HEAD"


@router.options("/methods")
@router.trace("/methods")
@router.patch("/methods")
async def methods(request: Request):
    return request.method


# --- a request and routes of one's own ---


class GzipRequest(Request):
    async def body(self) -> bytes:
        if not hasattr(self, "_body"):
            body = await super().body()
            if "gzip" in self.headers.getlist("Content-Encoding"):
                body = gzip.decompress(body)
            self._body = body
        return self._body


class GzipRoute(APIRoute):
    def get_route_handler(self) -> Callable:
        original = super().get_route_handler()

        async def handler(request: Request) -> Response:
            return await original(GzipRequest(request.scope, request.receive))

        return handler


class ErrorRoute(APIRoute):
    def get_route_handler(self) -> Callable:
        original = super().get_route_handler()

        async def handler(request: Request) -> Response:
            note("before")
            try:
                response = await original(request)
            except RequestValidationError as error:
                body = await request.body()
                raise HTTPException(422, {"errors": json.loads(json.dumps(error.errors(), default=str)), "body": body.decode("latin-1")}) from error
            response.headers["x-route"] = "own"
            return response

        return handler


own = APIRouter(route_class=ErrorRoute, prefix="/own")
zipped = APIRouter(route_class=GzipRoute, prefix="/zipped")


@own.post("/sum")
async def own_sum(numbers: Annotated[list[int], Body()]):
    return {"sum": sum(numbers)}


@zipped.post("/sum")
async def zipped_sum(numbers: Annotated[list[int], Body()]) -> Any:
    return {"sum": sum(numbers)}


loose = APIRouter(prefix="/loose", strict_content_type=False)


@loose.post("/item")
def loose_item(item: Item):
    return item


limited = APIRouter(prefix="/limited")


@limited.post("/body", max_body_size=100)
def limited_body(payload: Annotated[Any, Body()]):
    return payload


for below in (own, zipped, loose, limited):
    router.include_router(below)
