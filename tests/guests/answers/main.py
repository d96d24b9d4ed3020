"""An app of FastAPI's own parts, which does nothing when it starts: the host knows what it answers where it has no route."""

import asyncio
from uuid import UUID

from fastapi import APIRouter, Depends, FastAPI, HTTPException, WebSocket
from pydantic import BaseModel


class Item(BaseModel):
    name: str
    price: float = 1


def refuse_zero(item_id: int):
    if item_id == 0:
        raise HTTPException(404, "no item")
    return item_id


nested = APIRouter(prefix="/deep")
router = APIRouter(prefix="/v1", tags=["v1"])


@nested.get("/")
def deep():
    return "deep"


@router.get("/things")
async def things():
    return ["thing"]


@router.post("/things/{thing_id}", status_code=201)
def make_thing(thing_id: int, item: Item):
    return item


def install(app: FastAPI) -> None:
    @app.get("/")
    def home():
        return {"hello": "world"}

    @app.get("/items/{item_id}")
    def item(item_id: int = Depends(refuse_zero)):
        return item_id

    @app.put("/items/{item_id}")
    async def change(item_id: int, item: Item):
        return item

    @app.post("/items")
    async def make(item: Item):
        return item

    @app.post("/any")
    async def anything(body: dict | None = None):
        return body

    @app.get("/slash/")
    def slash():
        return "slash"

    @app.delete("/gone")
    def gone():
        return None

    # Not in the document: which of its methods names the operation is the order of a set, another in each process.
    @app.api_route("/several", methods=["GET", "POST", "PATCH"], include_in_schema=False)
    def several():
        return "several"

    @app.get("/n/{n:int}")
    def number(n: int):
        return n

    @app.get("/f/{x:float}/end")
    def floating(x: float):
        return x

    @app.get("/u/{u:uuid}")
    def uuid(u: UUID):
        return u

    @app.get("/a/{one}-{two}")
    def dashed(one: str, two: str):
        return [one, two]

    @app.get("/tree/{rest:path}")
    def tree(rest: str):
        return rest

    @app.get("/busy/{seconds}")
    async def busy(seconds: float):
        await asyncio.sleep(seconds)
        return "was busy"

    @app.websocket("/ws")
    async def ws(websocket: WebSocket):
        await websocket.accept()
        await websocket.close()

    router.include_router(nested)
    app.include_router(router)
    app.mount("/sub", sub)


sub = FastAPI()


@sub.get("/inner")
def inner():
    return "inner"


app = FastAPI(title="Answers", description="What the host *knows*. <é>", version="1.2.3")
install(app)
