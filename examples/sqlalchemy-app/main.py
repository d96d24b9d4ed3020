"""Users and their posts: FastAPI and SQLAlchemy's ORM, as on any other server."""

import os
from collections.abc import Iterator
from contextlib import asynccontextmanager
from typing import Annotated

from fastapi import Depends, FastAPI, HTTPException, Query, status
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import create_engine, func, select, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session, joinedload, selectinload

from models import Base, Post, User

engine = create_engine(os.environ.get("SQLALCHEMY_URL", "postgresql+fasterapi://default"))


@asynccontextmanager
async def lifespan(_: FastAPI):
    # For a first look. A database that is to stay gets its tables from the migrations.
    if os.environ.get("CREATE_TABLES"):
        with engine.begin() as connection:
            connection.execute(text("SELECT pg_advisory_xact_lock(4711)"))  # instances start side by side
            Base.metadata.create_all(connection)
    yield


app = FastAPI(title="Blog", lifespan=lifespan)


class NewPost(BaseModel):
    title: str = Field(min_length=1, max_length=200)
    body: str = ""


class PostOut(NewPost):
    model_config = ConfigDict(from_attributes=True)
    id: int


class NewUser(BaseModel):
    name: str = Field(min_length=1, max_length=40)


class UserOut(NewUser):
    model_config = ConfigDict(from_attributes=True)
    id: int


class UserWithPosts(UserOut):
    posts: list[PostOut]


class PostWithAuthor(PostOut):
    author: UserOut


class Page(BaseModel):
    items: list[PostWithAuthor]
    total: int


def get_session() -> Iterator[Session]:
    with Session(engine) as session:
        yield session


Database = Annotated[Session, Depends(get_session)]


def find_user(user_id: int, session: Database) -> User:
    user = session.get(User, user_id, options=[selectinload(User.posts)])
    if user is None:
        raise HTTPException(status.HTTP_404_NOT_FOUND, f"there is no user {user_id}")
    return user


Found = Annotated[User, Depends(find_user)]


def commit(session: Session, conflict: str) -> None:
    try:
        session.commit()
    except IntegrityError as error:
        session.rollback()
        if error.orig.sqlstate != "23505":
            raise
        raise HTTPException(status.HTTP_409_CONFLICT, conflict) from None


@app.post("/users", status_code=status.HTTP_201_CREATED)
def create_user(new: NewUser, session: Database) -> UserOut:
    user = User(**new.model_dump())
    session.add(user)
    commit(session, f"there is a user named {new.name!r} already")
    return UserOut.model_validate(user)


@app.get("/users/{user_id}")
def get_user(user: Found) -> UserWithPosts:
    return UserWithPosts.model_validate(user)


@app.patch("/users/{user_id}")
def rename_user(change: NewUser, user: Found, session: Database) -> UserOut:
    user.name = change.name
    commit(session, f"there is a user named {change.name!r} already")
    return UserOut.model_validate(user)


@app.delete("/users/{user_id}", status_code=status.HTTP_204_NO_CONTENT)
def delete_user(user: Found, session: Database) -> None:
    session.delete(user)
    session.commit()


@app.post("/users/{user_id}/posts", status_code=status.HTTP_201_CREATED)
def publish(posts: list[NewPost], user: Found, session: Database) -> list[PostOut]:
    """All of the posts or none: it is one transaction."""
    made = [Post(author=user, **post.model_dump()) for post in posts]
    session.add_all(made)
    commit(session, "two posts of an author have the same title")
    return [PostOut.model_validate(post) for post in made]


@app.get("/posts")
def list_posts(
    session: Database,
    search: str | None = None,
    limit: Annotated[int, Query(ge=1, le=100)] = 10,
    offset: Annotated[int, Query(ge=0)] = 0,
) -> Page:
    found = select(Post)
    if search is not None:
        found = found.where(Post.title.icontains(search, autoescape=True))
    total = session.scalar(select(func.count()).select_from(found.subquery()))
    items = session.scalars(found.options(joinedload(Post.author)).order_by(Post.id).limit(limit).offset(offset)).all()
    return Page(items=[PostWithAuthor.model_validate(post) for post in items], total=total)
