"""A backend of the shape that FastAPI's full-stack template has: log-in by OAuth2 password and JWT, users, items with owners, on SQLModel."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import APIRouter, FastAPI
from fastapi.middleware.cors import CORSMiddleware
from fastapi.routing import APIRoute
from sqlmodel import Session, SQLModel, text
from tenacity import retry, stop_after_attempt, wait_fixed

import routes_items
import routes_login
import routes_users
import users
from dependencies import engine
from models import NewUser
from settings import settings


@retry(stop=stop_after_attempt(3), wait=wait_fixed(1))
def prepare() -> None:
    with Session(engine) as session:
        session.exec(text("SELECT pg_advisory_xact_lock(4712)"))  # instances start side by side
        SQLModel.metadata.create_all(session.connection())
        if users.by_email(session, settings.first_superuser) is None:
            password = settings.first_password.get_secret_value()
            users.create(session, NewUser(email=settings.first_superuser, password=password, is_superuser=True))
        session.commit()


@asynccontextmanager
async def lifespan(_: FastAPI) -> AsyncIterator[None]:
    prepare()
    yield


def operation_id(route: APIRoute) -> str:
    return f"{route.tags[0]}-{route.name}" if route.tags else route.name


app = FastAPI(title=settings.project, openapi_url=f"{settings.api}/openapi.json", generate_unique_id_function=operation_id, lifespan=lifespan)
app.add_middleware(CORSMiddleware, allow_origins=["http://front.example"], allow_credentials=True, allow_methods=["*"], allow_headers=["*"])

api = APIRouter(prefix=settings.api)


@api.get("/utils/health-check/")
async def healthy() -> bool:
    return True


for routes in (routes_login, routes_users, routes_items):
    api.include_router(routes.router)
app.include_router(api)
