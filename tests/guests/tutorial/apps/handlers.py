"""FastAPI's own handlers of errors, overridden: for bad requests, for HTTP errors, for everything else."""

import ran
from fastapi import FastAPI, HTTPException, Request
from fastapi.encoders import jsonable_encoder
from fastapi.exception_handlers import http_exception_handler
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, PlainTextResponse
from pydantic import BaseModel
from starlette.exceptions import HTTPException as StarletteHTTPException

app = FastAPI()


@app.exception_handler(StarletteHTTPException)
async def http_error(request: Request, error: StarletteHTTPException):
    ran.note("http error")
    if error.status_code == 418:
        return await http_exception_handler(request, error)
    return PlainTextResponse(f"{request.method}: {error.detail}", error.status_code)


@app.exception_handler(RequestValidationError)
async def invalid(request: Request, error: RequestValidationError):
    ran.note("invalid")
    return JSONResponse({"detail": jsonable_encoder(error.errors()), "body": jsonable_encoder(error.body)}, 422)


@app.exception_handler(Exception)
async def anything(request: Request, error: Exception):
    ran.note("anything")
    return JSONResponse({"oops": type(error).__name__}, 500)


class Item(BaseModel):
    title: str
    size: int


@app.get("/ran", include_in_schema=False)
async def what_ran():
    return ran.taken()


@app.get("/items/{item_id}")
async def item(item_id: int):
    ran.note("item")
    if item_id in (3, 418):
        raise HTTPException(418, "Nope! I don't like 3.") if item_id == 3 else HTTPException(409, {"a": 1})
    return {"item_id": item_id}


@app.post("/items/")
def make(item: Item):
    return item


@app.get("/fails")
def fails(how: str = "value"):
    ran.note("fails")
    raise {"value": ValueError, "key": KeyError, "os": OSError}[how](how)
