"""A chat room: everybody who is connected hears what anybody says. The page beside it is its client."""

from fastapi import FastAPI, WebSocket, WebSocketDisconnect
from fastapi.responses import FileResponse
from fastapi.staticfiles import StaticFiles

app = FastAPI(title="Chat")
app.mount("/static", StaticFiles(directory="static"))


class Room:
    """Who is there. The WebSockets of a route share an instance, so this object is the same for all of them."""

    def __init__(self) -> None:
        self.members: dict[WebSocket, str] = {}

    async def tell(self, text: str) -> None:
        for member in list(self.members):
            try:
                await member.send_text(text)
            except WebSocketDisconnect:  # left in the meantime: its own handler says so
                pass


room = Room()


@app.get("/", include_in_schema=False)
def page() -> FileResponse:
    return FileResponse("static/chat.html")


@app.websocket("/chat/{name}")
async def chat(websocket: WebSocket, name: str) -> None:
    await websocket.accept()
    room.members[websocket] = name
    await room.tell(f"{name} is here ({len(room.members)} in the room)")
    try:
        async for text in websocket.iter_text():
            await room.tell(f"{name}: {text}")
    finally:
        del room.members[websocket]
        await room.tell(f"{name} has left")
