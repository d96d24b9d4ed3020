"""WebSockets, as FastAPI's and Starlette's documentation use them."""

import asyncio
import json
from typing import Annotated

from fastapi import APIRouter, Depends, Header, Query, WebSocket, WebSocketDisconnect, WebSocketException
from fastapi.responses import JSONResponse

router = APIRouter(prefix="/ws")

SCOPE = ("type", "asgi", "http_version", "scheme", "root_path", "path", "subprotocols", "extensions")
last = {}
clients = set()


def scope(websocket):
    shown = {name: websocket.scope[name] for name in SCOPE}
    shown["raw_path"] = websocket.scope["raw_path"].decode()
    shown["query_string"] = websocket.scope["query_string"].decode()
    shown["state"] = websocket.state.greeting
    shown["x"] = websocket.headers.getlist("x-test")
    return shown


@router.websocket("/scope/{name}")
async def show_scope(websocket: WebSocket, name: str):
    await websocket.accept("chat.v1")
    await websocket.send_json({"name": name, **scope(websocket)})
    await websocket.close()


@router.websocket("/echo")
async def echo(websocket: WebSocket):
    await websocket.accept()
    while True:
        message = await websocket.receive()
        if message["type"] == "websocket.disconnect":
            last["echo"] = message
            return
        kind = "text" if message.get("text") is not None else "bytes"
        await websocket.send({"type": "websocket.send", kind: message[kind]})


@router.websocket("/last")
async def show_last(websocket: WebSocket):
    await websocket.accept()
    await websocket.send_json(last)
    await websocket.close()


@router.websocket("/chosen")
async def chosen(websocket: WebSocket):
    await websocket.accept(subprotocol="chat.v2", headers=[(b"x-app", b"1"), (b"X-App", b"2")])
    await websocket.close(4321, "chosen")


@router.websocket("/rejected")
async def rejected(websocket: WebSocket):
    await websocket.close(4000, "no")


@router.websocket("/denied")
async def denied(websocket: WebSocket):
    await websocket.send_denial_response(JSONResponse({"no": "entry"}, 401, headers={"x-why": "because"}))


@router.websocket("/raises")
async def raises(websocket: WebSocket):
    raise RuntimeError("before the handshake")


@router.websocket("/refused")
async def refused(websocket: WebSocket):
    raise WebSocketException(code=1008, reason="before")


@router.websocket("/policy")
async def policy(websocket: WebSocket):
    await websocket.accept()
    raise WebSocketException(code=1008, reason="after")


async def token(websocket: WebSocket, token: Annotated[str | None, Query()] = None):
    if token is None:
        raise WebSocketException(code=1008)
    yield token
    last["token"] = "returned"


@router.websocket("/typed/{number}")
async def typed(
    websocket: WebSocket, number: int, token: Annotated[str, Depends(token)], agent: Annotated[str | None, Header()] = None
):
    await websocket.accept()
    await websocket.send_text(f"{number} {token} {agent}")
    await websocket.close()


@router.websocket("/orders")
async def orders(websocket: WebSocket):
    """What is said out of order raises."""
    raised = []
    for message in ({"type": "websocket.send", "text": "early"}, {"type": "websocket.accept"}, {"type": "websocket.accept"}):
        try:
            await websocket._send(message)
        except RuntimeError as error:
            raised.append(str(error))
    await websocket._send({"type": "websocket.send", "text": json.dumps(raised)})
    await websocket._send({"type": "websocket.close", "code": 4002})


@router.websocket("/json")
async def as_json(websocket: WebSocket):
    await websocket.accept()
    async for text in websocket.iter_text():
        await websocket.send_json(json.loads(text), mode="binary")


@router.websocket("/chat")
async def chat(websocket: WebSocket):
    await websocket.accept()
    clients.add(websocket)
    try:
        while True:
            text = await websocket.receive_text()
            for client in list(clients):
                await client.send_text(f"{text} to {len(clients)}")
    except WebSocketDisconnect as left:
        last["chat"] = left.code
    finally:
        clients.discard(websocket)


@router.websocket("/spin")
async def spin(websocket: WebSocket):
    await websocket.accept()
    if await websocket.receive_text() == "spin":
        while True:
            pass
    await websocket.receive_text()


@router.websocket("/deaf")
async def deaf(websocket: WebSocket):
    """Goes on whatever happens."""
    await websocket.accept()
    await asyncio.sleep(3600)
