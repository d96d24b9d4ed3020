"""FastAPI's tutorial and advanced guide as one app: what its documentation describes, written anew, so that every feature is there once.

Plain FastAPI: nothing in it knows what serves it. `ran` tells what ran, in order.
"""

from contextlib import asynccontextmanager

import ran
from chapters import bodies, dependencies, errors, forms, headers, operations, paths, queries, responses, security, work
from fastapi import FastAPI

CHAPTERS = (paths, queries, bodies, forms, headers, responses, errors, dependencies, security, work, operations)


@asynccontextmanager
async def lifespan(app: FastAPI):
    app.state.model = "loaded"
    yield {"answer": 42}
    app.state.model = None


app = FastAPI(
    title="The tutorial",
    summary="Every feature once.",
    description="With **Markdown**.",
    version="2.5.0",
    terms_of_service="https://example.org/terms",
    contact={"name": "Deadpoolio", "url": "https://example.org/contact"},
    license_info={"name": "MIT", "identifier": "MIT"},
    openapi_tags=[{"name": "paths", "description": "Parameters of the path.", "externalDocs": {"url": "https://example.org"}}],
    lifespan=lifespan,
)
for chapter in CHAPTERS:
    app.include_router(chapter.router)
errors.install(app)
operations.install(app)


@app.get("/", tags=["first steps"])
async def root():
    return {"message": "Hello World"}


@app.get("/ran", include_in_schema=False)
async def what_ran():
    return ran.taken()
