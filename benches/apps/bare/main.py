"""The least an ASGI app can be: what is left under load is the server."""

BODY = b'{"hello":"world"}'
HEAD = {
    "type": "http.response.start",
    "status": 200,
    "headers": [(b"content-length", b"17"), (b"content-type", b"application/json")],
}


async def app(scope, receive, send):
    if scope["type"] == "http":
        await send(HEAD)
        await send({"type": "http.response.body", "body": BODY})
    elif scope["type"] == "lifespan":
        while (message := await receive())["type"] != "lifespan.shutdown":
            await send({"type": f"{message['type']}.complete"})
        await send({"type": "lifespan.shutdown.complete"})
