"""The app that every server of the load benchmark runs: plain FastAPI, nothing of ours."""

from collections.abc import Iterator
from typing import Annotated

from fastapi import Depends, FastAPI, Header, HTTPException
from pydantic import BaseModel, Field

app = FastAPI()


class Item(BaseModel):
    name: str = Field(min_length=1, max_length=100)
    price: float = Field(gt=0)
    tags: list[str] = []
    description: str | None = None


class User(BaseModel):
    name: str
    visits: int


class Session:
    def __init__(self) -> None:
        self.open = True

    def user_of(self, token: str) -> User:
        return User(name=token.removeprefix("Bearer "), visits=1)


ITEMS = [Item(name=f"item {n}", price=n + 0.5, tags=["a", "b"], description="one of twenty") for n in range(20)]


def get_session() -> Iterator[Session]:
    session = Session()
    try:
        yield session
    finally:
        session.open = False


def get_user(session: Annotated[Session, Depends(get_session)], authorization: Annotated[str, Header()]) -> User:
    if not authorization.startswith("Bearer "):
        raise HTTPException(401, "not a bearer token")
    return session.user_of(authorization)


@app.get("/")
def hello() -> dict[str, str]:
    return {"hello": "world"}


@app.get("/a")
async def hello_async() -> dict[str, str]:
    return {"hello": "world"}


@app.get("/items/{item_id}")
def read_item(item_id: int, q: str | None = None) -> dict[str, int | str | None]:
    return {"item_id": item_id, "q": q}


@app.post("/items")
def create_item(item: Item) -> Item:
    return item


@app.get("/items")
def list_items() -> list[Item]:
    return ITEMS


@app.get("/me")
def read_me(user: Annotated[User, Depends(get_user)]) -> User:
    return user
