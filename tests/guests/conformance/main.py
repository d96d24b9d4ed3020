"""The app that uvicorn and fasterapi-host must serve alike. Plain FastAPI: nothing in it knows either server."""

import asyncio
import itertools
import os
import uuid
from contextlib import asynccontextmanager

from fastapi import FastAPI
from routes import bodies, concurrency, errors, instance, params, responses, security, sockets, streams, subapps


@asynccontextmanager
async def lifespan(_: FastAPI):
    await asyncio.sleep(float(os.environ.get("START_DELAY", 0)))
    if reason := os.environ.get("START_FAILS"):
        raise RuntimeError(reason)
    instance.started()
    print(f"instance {instance.NAME} started")
    yield {"greeting": "hello", "numbers": itertools.count(1), "id": str(uuid.uuid4())}
    print(f"instance {instance.NAME} stopped")


app = FastAPI(title="Conformance", lifespan=lifespan)
for module in (params, bodies, responses, errors, streams, concurrency, instance, security, sockets):
    app.include_router(module.router)
errors.install(app)
subapps.mount(app)
