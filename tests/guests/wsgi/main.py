"""A WSGI app as its author left it: Bottle, with a template, a form, a stream and static files."""

from bottle import Bottle, HTTPError, request, response, static_file, template

app = Bottle()


@app.get("/")
def index() -> str:
    return template("page", name=request.query.name or "world")


@app.post("/form")
def form() -> dict[str, object]:
    response.set_cookie("seen", "yes")
    return {"fields": dict(request.forms.decode().items()), "agent": request.get_header("x-agent")}


@app.post("/count")
def count() -> dict[str, int]:
    total, body = 0, request.body
    while part := body.read(4096):
        total += len(part)
    return {"bytes": total}


@app.get("/stream")
def stream() -> object:
    response.content_type = "text/plain"
    return (f"{number}\n" for number in range(1000))


@app.get("/static/<path:path>")
def static(path: str) -> object:
    return static_file(path, root="static")


@app.get("/fails")
def fails() -> str:
    raise HTTPError(418, "teapot")


@app.get("/raises")
def raises() -> str:
    return {}["missing"]


app.catchall = False
