from fasterapi import App, Depends
from fasterapi.pg import PgPool
from pydantic import BaseModel

app = App(enable_h2=True, compression=True)
pool = None

@app.on_event("startup")
def startup():
    global pool
    pool = PgPool("postgres://localhost/mydb")

def get_pg():
    return pool.get()

class Item(BaseModel):
    id: int
    name: str
    price: float

@app.get("/items/{item_id}")
def get_item(item_id: int, pg = Depends(get_pg)) -> Item:
    row = pg.exec("SELECT id, name, price FROM items WHERE id=$1", item_id).one()
    return Item(**row)

@app.post("/items")
def create_item(item: Item, pg = Depends(get_pg)):
    new_id = pg.exec(
        "INSERT INTO items(name, price) VALUES($1, $2) RETURNING id",
        item.name, item.price
    ).scalar()
    return {"id": new_id}

if __name__ == "__main__":
    app.run(port=8000)
