"""FastAPI's security helpers."""

from typing import Annotated

from fastapi import APIRouter, Depends, HTTPException, Security
from fastapi.security import (
    APIKeyCookie,
    APIKeyHeader,
    APIKeyQuery,
    HTTPAuthorizationCredentials,
    HTTPBasic,
    HTTPBasicCredentials,
    HTTPBearer,
    OAuth2PasswordBearer,
    OAuth2PasswordRequestForm,
    SecurityScopes,
)

router = APIRouter(prefix="/security")
oauth2 = OAuth2PasswordBearer(tokenUrl="security/token", scopes={"read": "Read.", "write": "Write."})


@router.post("/token")
def token(form: Annotated[OAuth2PasswordRequestForm, Depends()]):
    if form.password != "secret":
        raise HTTPException(400, "Incorrect username or password")
    return {"access_token": f"{form.username}:{' '.join(form.scopes)}", "token_type": "bearer"}


def user(scopes: SecurityScopes, token: Annotated[str, Depends(oauth2)]):
    name, _, granted = token.partition(":")
    if not set(scopes.scopes) <= set(granted.split()):
        raise HTTPException(403, "Not enough permissions", {"WWW-Authenticate": f'Bearer scope="{scopes.scope_str}"'})
    return name


@router.get("/read")
def read(name: Annotated[str, Security(user, scopes=["read"])]):
    return {"name": name}


@router.get("/write")
def write(name: Annotated[str, Security(user, scopes=["read", "write"])]):
    return {"name": name}


@router.get("/basic")
def basic(credentials: Annotated[HTTPBasicCredentials, Depends(HTTPBasic())]):
    return credentials


@router.get("/bearer")
def bearer(credentials: Annotated[HTTPAuthorizationCredentials, Depends(HTTPBearer())]):
    return credentials


@router.get("/keys")
def keys(
    header: Annotated[str | None, Depends(APIKeyHeader(name="x-key", auto_error=False))],
    query: Annotated[str | None, Depends(APIKeyQuery(name="key", auto_error=False))],
    cookie: Annotated[str | None, Depends(APIKeyCookie(name="key", auto_error=False))],
):
    return {"header": header, "query": query, "cookie": cookie}


@router.get("/key")
def key(key: Annotated[str, Depends(APIKeyHeader(name="x-key"))]):
    return {"key": key}
