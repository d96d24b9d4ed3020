"""Items in Postgres: create, read, change, delete, list, with FastAPI as everybody knows it."""

from contextlib import asynccontextmanager
from datetime import datetime
from decimal import Decimal
from typing import Annotated

from fasterapi import App, Depends, FastAPI, HTTPException, Query, Response, status
from fasterapi.pg import Pg, PgPool, PgUniqueViolation
from pydantic import BaseModel, Field

pool = PgPool("default")

SCHEMA = """
CREATE TABLE IF NOT EXISTS items (
    id      bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name    text NOT NULL UNIQUE,
    price   numeric(12, 2) NOT NULL CHECK (price > 0),
    tags    text[] NOT NULL DEFAULT '{}',
    created timestamptz NOT NULL DEFAULT now()
)
"""


@asynccontextmanager
async def lifespan(_: FastAPI):
    # Instances start side by side: one creates the table, the others wait for it and find it there.
    with pool.get().tx() as tx:
        tx.exec("SELECT pg_advisory_xact_lock(4711)")
        tx.exec(SCHEMA)
    yield


app = App(title="Items", lifespan=lifespan, compression=True)


class NewItem(BaseModel):
    name: str = Field(min_length=1, max_length=100)
    price: Decimal = Field(gt=0, max_digits=12, decimal_places=2)
    tags: list[str] = []


class Item(NewItem):
    id: int
    created: datetime


class Page(BaseModel):
    items: list[Item]
    total: int


def get_pg() -> Pg:
    return pool.get()


def get_page(limit: Annotated[int, Query(ge=1, le=100)] = 10, offset: Annotated[int, Query(ge=0)] = 0) -> tuple[int, int]:
    return limit, offset


Database = Annotated[Pg, Depends(get_pg)]
Window = Annotated[tuple[int, int], Depends(get_page)]


def find_item(item_id: int, pg: Database) -> Item:
    item = pg.exec("SELECT * FROM items WHERE id = $1", item_id).model(Item)
    if item is None:
        raise HTTPException(status.HTTP_404_NOT_FOUND, f"there is no item {item_id}")
    return item


Found = Annotated[Item, Depends(find_item)]


@app.get("/")
def about() -> dict[str, str]:
    return {"app": "items", "docs": "/docs"}


@app.post("/items", status_code=status.HTTP_201_CREATED)
def create_item(new: NewItem, pg: Database) -> Item:
    try:
        made = pg.exec(
            "INSERT INTO items (name, price, tags) VALUES ($1, $2, $3) RETURNING *", new.name, new.price, new.tags
        )
    except PgUniqueViolation:
        raise HTTPException(status.HTTP_409_CONFLICT, f"there is an item named {new.name!r} already") from None
    return Item(**made.one())


@app.get("/items")
def list_items(pg: Database, window: Window, tag: str | None = None) -> Page:
    limit, offset = window
    where = "WHERE $1::text IS NULL OR $1 = ANY (tags)"
    with pg.tx() as tx:
        total = tx.exec(f"SELECT count(*) FROM items {where}", tag).scalar()
        items = tx.exec(f"SELECT * FROM items {where} ORDER BY id LIMIT $2 OFFSET $3", tag, limit, offset).models(Item)
    return Page(items=items, total=total)


@app.get("/items/{item_id}")
def get_item(item: Found) -> Item:
    return item


@app.put("/items/{item_id}")
def change_item(change: NewItem, item: Found, pg: Database) -> Item:
    changed = pg.exec(
        "UPDATE items SET name = $2, price = $3, tags = $4 WHERE id = $1 RETURNING *",
        item.id, change.name, change.price, change.tags,
    )
    return Item(**changed.one())


@app.delete("/items/{item_id}", status_code=status.HTTP_204_NO_CONTENT)
def delete_item(item: Found, pg: Database) -> Response:
    pg.exec("DELETE FROM items WHERE id = $1", item.id)
    return Response(status_code=status.HTTP_204_NO_CONTENT)


if __name__ == "__main__":
    app.run(port=8000)
