"""The packages that guest-sdk/wasi-wheels says work, each at work. Their own answers are compared in tests/suites/packages.rs."""

import jwt
import markupsafe
import yaml
from fastapi import FastAPI, Request
from fastapi.responses import HTMLResponse
from fastapi.templating import Jinja2Templates
from itsdangerous import BadSignature, URLSafeSerializer

app = FastAPI()
templates = Jinja2Templates(directory="templates")
signer = URLSafeSerializer("key")


@app.get("/jinja2/{name}")
def jinja2(request: Request, name: str) -> HTMLResponse:
    return templates.TemplateResponse(request, "page.html", {"name": name, "numbers": range(3)})


@app.get("/markupsafe")
def escaped() -> str:
    return str(markupsafe.Markup("<b>%s</b>") % "<&>")


@app.get("/pyyaml")
def pyyaml() -> dict[str, object]:
    loaded = yaml.safe_load("a: [1, 2.5, null]\nb: {c: 'ä'}\n")
    return {"loaded": loaded, "dumped": yaml.safe_dump(loaded, allow_unicode=True)}


@app.get("/pyjwt")
def token() -> dict[str, object]:
    made = jwt.encode({"sub": "ada"}, "secret" * 8, algorithm="HS256")
    try:
        jwt.decode(made, "other" * 8, algorithms=["HS256"])
        forged = True
    except jwt.InvalidSignatureError:
        forged = False
    return {"claims": jwt.decode(made, "secret" * 8, algorithms=["HS256"]), "forged": forged}


@app.get("/itsdangerous")
def signed() -> dict[str, object]:
    text = signer.dumps([1, 2])
    try:
        signer.loads(text + "x")
        forged = True
    except BadSignature:
        forged = False
    return {"loaded": signer.loads(text), "forged": forged}
