"""An app with a database that is tested on both backends."""

from decimal import Decimal
from typing import Annotated

from fastapi import Depends, HTTPException
from pydantic import BaseModel

from fasterapi import App
from fasterapi.pg import CopyResponse, Pg, PgPool, PgUniqueViolation

SCHEMA = "CREATE TABLE IF NOT EXISTS items (id int PRIMARY KEY, name text UNIQUE, price numeric)"

pool = PgPool("default")
Db = Annotated[Pg, Depends(pool.get)]
app = App()


class Item(BaseModel):
    id: int
    name: str
    price: Decimal


@app.get("/items")
def read_all(pg: Db) -> list[Item]:
    return pg.exec("SELECT id, name, price FROM items ORDER BY id").models(Item)


@app.get("/items/{item_id}")
def read(item_id: int, pg: Db) -> Item:
    item = pg.exec("SELECT id, name, price FROM items WHERE id = $1", item_id).model(Item)
    if item is None:
        raise HTTPException(404, "no such item")
    return item


@app.post("/items", status_code=201)
def create(items: list[Item], pg: Db) -> int:
    try:
        with pg.tx() as tx:
            for item in items:
                tx.exec("INSERT INTO items VALUES ($1, $2, $3)", item.id, item.name, item.price)
    except PgUniqueViolation as error:
        raise HTTPException(409, error.constraint) from error
    return len(items)


@app.get("/export")
def export(pg: Db) -> CopyResponse:
    return CopyResponse(pg, "COPY (SELECT * FROM items ORDER BY id) TO STDOUT (FORMAT csv)")


@app.get("/broken")
def broken(pg: Db) -> None:
    pg.exec("SELECT nothing FROM nowhere")
