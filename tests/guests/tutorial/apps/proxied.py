"""Behind a proxy that strips a prefix: `root_path`, with apps below it."""

import ran
from fastapi import FastAPI, Request
from fastapi.responses import RedirectResponse

app = FastAPI(root_path="/api/v1", servers=[{"url": "/extra"}])
below = FastAPI(title="Below")
bare = FastAPI(openapi_url=None)


@app.get("/ran", include_in_schema=False)
async def what_ran():
    return ran.taken()


@app.get("/app")
def read_app(request: Request):
    ran.note("app")
    return {"root_path": request.scope.get("root_path"), "path": request.scope["path"], "url": str(request.url), "base": str(request.base_url)}


@app.get("/items/{item_id}")
async def item(item_id: int, request: Request):
    return {"item_id": item_id, "self": str(request.url_for("item", item_id=item_id)), "below": str(request.url_for("below", path="/sub"))}


@app.get("/slash/")
def slash():
    return "slash"


@app.get("/api/{version}")
def api(version: str):
    return {"version": version}


@app.get("/away")
async def away(request: Request):
    return RedirectResponse(request.url_for("read_app"))


@below.get("/sub")
def sub(request: Request):
    ran.note("sub")
    return {"root_path": request.scope["root_path"], "url": str(request.url), "app": request.app.title}


@below.get("/items/{item_id}")
async def sub_item(item_id: int):
    return {"item_id": item_id}


@bare.get("/{rest:path}")
def rest(rest: str):
    return {"rest": rest}


app.mount("/below", below, name="below")
app.mount("/bare", bare)
