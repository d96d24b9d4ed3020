"""Plain Starlette, without FastAPI or pydantic: any ASGI app can be served."""

import asyncio
from contextlib import asynccontextmanager

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, StreamingResponse
from starlette.routing import Mount, Route


@asynccontextmanager
async def lifespan(app: Starlette):
    yield {"greeting": "Hello"}


async def home(request: Request) -> JSONResponse:
    return JSONResponse({"message": f"{request.state.greeting}, Starlette!"})


async def greet(request: Request) -> PlainTextResponse:
    return PlainTextResponse(f"{request.state.greeting}, {request.path_params['name']}!")


async def count(request: Request) -> StreamingResponse:
    async def numbers():
        for number in range(request.path_params["to"]):
            yield f"{number}\n"
            await asyncio.sleep(0.01)

    return StreamingResponse(numbers(), media_type="text/plain")


async def shout(request: Request) -> PlainTextResponse:
    parts = [part.upper() async for part in request.stream()]
    return PlainTextResponse(b"".join(parts))


app = Starlette(
    lifespan=lifespan,
    routes=[
        Route("/", home),
        Route("/greet/{name}", greet),
        Mount("/stream", routes=[Route("/count/{to:int}", count), Route("/shout", shout, methods=["POST"])]),
    ],
)
