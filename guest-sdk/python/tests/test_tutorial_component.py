"""The tutorial as one component under the host, in both lanes, and under uvicorn: the same answers over HTTP."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import tutorial
from tutorial import FOLDER, Server, gist

from fasterapi._run import VARIABLE

ELSEWHERE = {
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
        pytest.skip("no fasterapi-host beside the bridge: cargo build --release --workspace --bins")
    return program


@pytest.fixture(scope="module")
def component(tmp_path_factory: pytest.TempPathFactory) -> Path:
    built = tmp_path_factory.mktemp("tutorial") / "tutorial.wasm"
    subprocess.run([host_program(), "build", "main:app", "-C", FOLDER, "-o", built], check=True)
    return built


@contextmanager
def served(component: Path, lane: str) -> Iterator[Server]:
    command = [str(host_program()), "serve", str(component), "--addr", "127.0.0.1:0", "--lane", lane, "--max-instances", "1", "--log", "error"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        found = next(found for line in process.stdout if (found := re.search(r"listening on http://\S+:(\d+)", line)))
        server = Server(int(found[1]))
        try:
            yield server
        finally:
            server.close()
            process.terminate()


@pytest.mark.parametrize("lane", ["auto", "asgi"])
def test_the_component_answers_as_uvicorn_does(component: Path, lane: str) -> None:
    found = []
    with tutorial.uvicorn() as servers, served(component, lane) as host:
        for topic in tutorial.TOPICS:
            if f"apps.{topic}" in tutorial.APPS:
                continue
            for ask in tutorial.requests(topic):
                servers["main"].close()  # uvicorn hangs up behind some answers, and it may be about to
                theirs, ours = gist(servers["main"].ask(ask)), gist(host.ask(ask))
                body = re.sub(rb"/_fasterapi/docs/[\d.]+/([\w.-]+)", lambda found: ELSEWHERE[found[1]], ours[2])
                if (theirs[0], sorted(theirs[1]), theirs[2]) != (ours[0], sorted(ours[1]), body):
                    found.append(f"{ask}\n  uvicorn: {theirs}\n  the host: {ours}")
    assert not found, f"{len(found)}\n" + "\n".join(found)
