"""Security: OAuth2 with passwords, tokens that are signed, scopes; HTTP basic, bearer and digest; API keys; OpenID."""

import base64
import hashlib
import hmac
import json
import secrets
from typing import Annotated

from fastapi import APIRouter, Depends, HTTPException, Security, status
from fastapi.security import (
    APIKeyCookie,
    APIKeyHeader,
    APIKeyQuery,
    HTTPAuthorizationCredentials,
    HTTPBasic,
    HTTPBasicCredentials,
    HTTPBearer,
    HTTPDigest,
    OAuth2AuthorizationCodeBearer,
    OAuth2PasswordBearer,
    OAuth2PasswordRequestForm,
    OAuth2PasswordRequestFormStrict,
    OpenIdConnect,
    SecurityScopes,
)
from pydantic import BaseModel
from ran import note

router = APIRouter(prefix="/security", tags=["security"])
oauth2 = OAuth2PasswordBearer(tokenUrl="security/token", scopes={"me": "About oneself.", "items": "Items."})

KEY = b"not a secret: a test's"
USERS = {"johndoe": {"username": "johndoe", "disabled": False, "password": "secret"}, "alice": {"username": "alice", "disabled": True, "password": "secret2"}}


class User(BaseModel):
    username: str
    disabled: bool | None = None


class Token(BaseModel):
    access_token: str
    token_type: str


def sign(payload: dict) -> str:
    body = base64.urlsafe_b64encode(json.dumps(payload).encode()).decode()
    return f"{body}.{hmac.new(KEY, body.encode(), hashlib.sha256).hexdigest()}"


def verify(token: str) -> dict:
    body, _, signature = token.partition(".")
    if not hmac.compare_digest(hmac.new(KEY, body.encode(), hashlib.sha256).hexdigest().encode(), signature.encode()):
        raise ValueError("a wrong signature")
    return json.loads(base64.urlsafe_b64decode(body))


@router.post("/token")
async def token(form: Annotated[OAuth2PasswordRequestForm, Depends()]) -> Token:
    user = USERS.get(form.username)
    if user is None or not secrets.compare_digest(form.password.encode(), user["password"].encode()):
        raise HTTPException(status.HTTP_401_UNAUTHORIZED, "Incorrect username or password", {"WWW-Authenticate": "Bearer"})
    note("token")
    return Token(access_token=sign({"sub": form.username, "scopes": form.scopes}), token_type="bearer")


@router.post("/token/strict")
def token_strict(form: Annotated[OAuth2PasswordRequestFormStrict, Depends()]):
    return {"user": form.username, "grant": form.grant_type, "client": form.client_id}


async def current_user(security_scopes: SecurityScopes, token: Annotated[str, Depends(oauth2)]) -> User:
    note("current user")
    challenge = f'Bearer scope="{security_scopes.scope_str}"' if security_scopes.scopes else "Bearer"
    refused = HTTPException(status.HTTP_401_UNAUTHORIZED, "Could not validate credentials", {"WWW-Authenticate": challenge})
    try:
        payload = verify(token)
        user = USERS[payload["sub"]]
    except (ValueError, KeyError):
        raise refused from None
    if not set(security_scopes.scopes) <= set(payload["scopes"]):
        raise HTTPException(status.HTTP_403_FORBIDDEN, "Not enough permissions", {"WWW-Authenticate": challenge})
    return User(**user)


async def active_user(user: Annotated[User, Security(current_user, scopes=["me"])]) -> User:
    if user.disabled:
        raise HTTPException(400, "Inactive user")
    return user


@router.get("/raw-token")
async def raw_token(token: Annotated[str, Depends(oauth2)]):
    return {"token": token}


@router.get("/me")
async def me(user: Annotated[User, Depends(active_user)]) -> User:
    return user


@router.get("/items")
async def items(user: Annotated[User, Security(active_user, scopes=["items"])]):
    return [{"item_id": "Foo", "owner": user.username}]


@router.get("/status")
def system_status(user: Annotated[User, Depends(current_user)]):
    return {"status": "ok", "user": user.username}


# --- HTTP ---

basic_scheme = HTTPBasic()


def basic_user(credentials: Annotated[HTTPBasicCredentials, Depends(basic_scheme)]) -> str:
    right = secrets.compare_digest(credentials.username.encode(), b"stanley") & secrets.compare_digest(credentials.password.encode(), b"swordfish")
    if not right:
        raise HTTPException(401, "Incorrect username or password", {"WWW-Authenticate": "Basic"})
    return credentials.username


@router.get("/basic")
def basic(username: Annotated[str, Depends(basic_user)]):
    return {"username": username}


@router.get("/basic/realm")
def realm(credentials: Annotated[HTTPBasicCredentials | None, Security(HTTPBasic(realm="simple", auto_error=False))]):
    return credentials


@router.get("/bearer")
async def bearer(credentials: Annotated[HTTPAuthorizationCredentials, Depends(HTTPBearer())]):
    return {"scheme": credentials.scheme, "credentials": credentials.credentials}


@router.get("/digest")
async def digest(credentials: Annotated[HTTPAuthorizationCredentials, Security(HTTPDigest())]):
    return credentials


class Bearer403(HTTPBearer):
    def make_not_authenticated_error(self) -> HTTPException:
        return HTTPException(status.HTTP_403_FORBIDDEN, "Not authenticated")


@router.get("/bearer/403")
def bearer_403(credentials: Annotated[HTTPAuthorizationCredentials, Depends(Bearer403())]):
    return credentials.credentials


# --- keys and others ---


@router.get("/key/header")
async def key_header(key: Annotated[str, Security(APIKeyHeader(name="X-API-Key"))]):
    return key


@router.get("/key/query")
async def key_query(key: Annotated[str, Security(APIKeyQuery(name="api_key"))]):
    return key


@router.get("/key/cookie")
async def key_cookie(key: Annotated[str, Security(APIKeyCookie(name="key"))]):
    return key


@router.get("/key/optional")
async def key_optional(key: Annotated[str | None, Security(APIKeyHeader(name="X-API-Key", auto_error=False))]):
    return {"anonymous": key is None}


@router.get("/openid")
def openid(token: Annotated[str, Security(OpenIdConnect(openIdConnectUrl="/openid"))]):
    return token


@router.get("/code")
def code(token: Annotated[str | None, Security(OAuth2AuthorizationCodeBearer("/authorize", "/token", auto_error=False))] = None):
    return token
