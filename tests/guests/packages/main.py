"""The packages that guest-sdk/wasi-wheels says work, each at work. Their own answers are compared in tests/suites/packages.rs."""

import hashlib
import hmac
from datetime import UTC, datetime
from typing import Annotated, Any
from uuid import UUID

import bcrypt
import ecdsa
import jwt
import markupsafe
import markupsafe._speedups
import msgspec
import orjson
import regex
import rsa
import yaml
from fastapi import FastAPI, HTTPException, Request, Response
from fastapi.responses import HTMLResponse, JSONResponse
from fastapi.templating import Jinja2Templates
from itsdangerous import BadSignature, URLSafeSerializer
from jose import JWTError
from jose import jwt as jose
from jsonschema import Draft202012Validator
from passlib.context import CryptContext
from prometheus_client import CollectorRegistry, Counter, generate_latest

app = FastAPI()
templates = Jinja2Templates(directory="templates")
signer = URLSafeSerializer("key")


@app.get("/jinja2/{name}")
def jinja2(request: Request, name: str) -> HTMLResponse:
    return templates.TemplateResponse(request, "page.html", {"name": name, "numbers": range(3)})


@app.get("/markupsafe")
def escaped() -> str:
    assert markupsafe._escape_inner is markupsafe._speedups._escape_inner
    return str(markupsafe.Markup("<b>%s</b>") % "<&>")


class Point(msgspec.Struct, tag=True):
    x: float
    y: Annotated[int, msgspec.Meta(ge=0)] = 0
    names: list[str] = []
    at: datetime | None = None


@app.post("/msgspec")
async def structs(request: Request) -> Response:
    try:
        point = msgspec.json.decode(await request.body(), type=Point)
    except msgspec.ValidationError as error:
        raise HTTPException(400, str(error)) from None
    again = msgspec.msgpack.decode(msgspec.msgpack.encode(point), type=Point)
    return Response(msgspec.json.encode(again), media_type="application/json")


class OrjsonResponse(JSONResponse):
    def render(self, content: Any) -> bytes:
        return orjson.dumps(content, option=orjson.OPT_NON_STR_KEYS | orjson.OPT_SORT_KEYS)


@app.post("/orjson", response_class=OrjsonResponse)
async def by_orjson(request: Request) -> OrjsonResponse:
    try:
        loaded = orjson.loads(await request.body())
    except orjson.JSONDecodeError as error:
        raise HTTPException(400, str(error)) from None
    return OrjsonResponse({"loaded": loaded, "when": datetime(2024, 2, 29, tzinfo=UTC), "id": UUID(int=7), 1: 0.1})


@app.get("/regex")
def expressions() -> dict[str, object]:
    found = regex.findall(r"(?<word>\p{Lu}\p{L}*+)(?:\s|$)", "Ähre is Über all")
    try:
        regex.match(r"^(a|a|aa)+$", "a" * 40 + "b", timeout=0.05)
        stopped = False
    except TimeoutError:
        stopped = True
    return {"found": found, "close": regex.search(r"(?:hello){e<=1}", "say helo").span(), "stopped": stopped}


@app.get("/rpds-py")
def schema() -> list[str]:
    validator = Draft202012Validator({"type": "object", "properties": {"age": {"type": "integer", "minimum": 0}}, "required": ["name"]})
    return sorted(error.message for error in validator.iter_errors({"age": -1}))


@app.get("/bcrypt")
def hashed() -> dict[str, object]:
    known = b"$2b$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW"
    made = bcrypt.hashpw(b"secret", bcrypt.gensalt(4))
    return {"known": bcrypt.checkpw(b"U*U", known), "own": bcrypt.checkpw(b"secret", made), "other": bcrypt.checkpw(b"Secret", made)}


@app.get("/hashlib")
def digests() -> dict[str, object]:
    derived = hashlib.pbkdf2_hmac("sha256", b"password", b"salt", 1000)
    return {"derived": derived.hex(), "hmac": hmac.new(b"key", b"message", "sha512").hexdigest()[:16]}


@app.get("/passlib/{scheme}")
def by_passlib(scheme: str) -> dict[str, bool]:
    context = CryptContext([scheme], **{f"{scheme}__rounds": 1000})
    made = context.hash("secret")
    return {"own": context.verify("secret", made), "other": context.verify("Secret", made)}


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


@app.get("/prometheus-client")
def metrics() -> str:
    registry = CollectorRegistry()
    Counter("seen", "What was seen", ["kind"], registry=registry).labels("a").inc()
    return generate_latest(registry).decode().split("\n")[2]


@app.get("/python-jose/{algorithm}")
def signed_token(algorithm: str) -> dict[str, object]:
    private = public = "secret" * 8
    if algorithm == "RS256":
        public, private = (key.save_pkcs1().decode() for key in rsa.newkeys(512))
    elif algorithm == "ES256":
        key = ecdsa.SigningKey.generate(curve=ecdsa.NIST256p)
        private, public = key.to_pem().decode(), key.verifying_key.to_pem().decode()
    made = jose.encode({"sub": "ada"}, private, algorithm=algorithm)
    try:
        jose.decode(made[:-8] + "AAAAAAAA", public, algorithms=[algorithm])
        forged = True
    except JWTError:
        forged = False
    return {"claims": jose.decode(made, public, algorithms=[algorithm]), "forged": forged}


@app.get("/itsdangerous")
def signed() -> dict[str, object]:
    text = signer.dumps([1, 2])
    try:
        signer.loads(text + "x")
        forged = True
    except BadSignature:
        forged = False
    return {"loaded": signer.loads(text), "forged": forged}
