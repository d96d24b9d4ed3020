"""The same app, but it counts what it has no route for: the host must ask it each time."""

from fastapi import FastAPI
from fastapi.responses import JSONResponse
from main import install
from starlette.exceptions import HTTPException

app = FastAPI()
install(app)
asked = 0


@app.exception_handler(HTTPException)
async def count(request, error: HTTPException):
    global asked
    asked += 1
    return JSONResponse({"asked": asked, "path": request.url.path}, error.status_code, error.headers)
