"""Apps as components: built and served by the host beside the bridge, and compared with uvicorn over HTTP."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from lanes import Ask
from tutorial import NO_ANSWER, Server, gist

from fasterapi._run import VARIABLE

LANES = ("auto", "asgi")
LONGEST = 8 * 1024
"""The longest target that the host takes."""
_ELSEWHERE = {
    b"swagger-ui-bundle.js": b"https://cdn.jsdelivr.net/npm/swagger-ui-dist@5/swagger-ui-bundle.js",
    b"swagger-ui.css": b"https://cdn.jsdelivr.net/npm/swagger-ui-dist@5/swagger-ui.css",
    b"redoc.standalone.js": b"https://cdn.jsdelivr.net/npm/redoc@2/bundles/redoc.standalone.js",
    b"favicon.png": b"https://fastapi.tiangolo.com/img/favicon.png",
    b"fonts.css": b"https://fonts.googleapis.com/css?family=Montserrat:300,400,700|Roboto:300,400,700",
}
"""Where FastAPI's docs pages find what the host has itself."""


def host_program() -> Path:
    """The host, beside the bridge."""
    program = Path(os.environ.get(VARIABLE) or "/nowhere/fasterapi-bridge").with_name("fasterapi-host")
    if not program.exists():
        pytest.skip("no fasterapi-host beside the bridge: cargo build --workspace --bins")
    return program


def built(folder: Path, target: str, output: Path) -> Path:
    """An app's component. The host keeps what it built: the guests of the Rust tests take no time."""
    subprocess.run([host_program(), "build", target, "-C", folder, "-o", output], check=True)
    return output


@contextmanager
def served(component: Path, lane: str) -> Iterator[Server]:
    """The host with one instance at a time, so that what an app remembers is where its next request comes."""
    options = ("--addr", "127.0.0.1:0", "--lane", lane, "--max-instances", "1", "--log", "error")
    command = [str(host_program()), "serve", str(component), *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        found = next(found for line in process.stdout if (found := re.search(r"listening on http://\S+:(\d+)", line)))
        server = Server(int(found[1]))
        try:
            yield server
        finally:
            server.close()
            ended = process.poll()
            process.terminate()
            assert ended is None, f"the host ended by itself: {ended}"


def differences(uvicorn: Server, host: Server, ask: Ask) -> Iterator[str]:
    """How the two disagree about a request. Where uvicorn hangs up without an answer, as it does of a status that there is not, the host says 500."""
    uvicorn.close()  # it hangs up behind some answers, and may be about to
    theirs, ours = gist(uvicorn.ask(ask)), gist(host.ask(ask))
    if ours[0] == (500 if theirs == NO_ANSWER else 414 if len(ask.target) > LONGEST else None):
        return
    body = re.sub(rb"/_fasterapi/docs/[\d.]+/([\w.-]+)", lambda found: _ELSEWHERE[found[1]], ours[2])
    if (theirs[0], sorted(theirs[1]), theirs[2]) != (ours[0], sorted(ours[1]), body):
        yield f"{ask}\n  uvicorn: {theirs}\n  the host: {ours}"
