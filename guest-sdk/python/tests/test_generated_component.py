"""Apps as components under the host, in both lanes, and under uvicorn: the same answers to requests that schemathesis makes of their documents."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

import component
import generated
import pytest
import tutorial
from lanes import Ask
from schemathesis import GenerationMode
from tutorial import Server

GUESTS = tutorial.FOLDER.parent


class App(NamedTuple):
    """An app that is a guest of the Rust tests too."""

    folder: str
    reference: str
    """The module that uvicorn serves."""
    target: str = "main:app"
    prefix: str = ""
    """Where it is mounted."""
    left_out: str = "(?!)"
    """The paths that depend on more than their requests."""

    def asks(self, uvicorn: Server, mode: GenerationMode) -> list[Ask]:
        """What is asked of it."""
        if self.prefix:
            document = tutorial.document(self.prefix.strip("/").replace("/", "."))
        elif self.folder == "tutorial":
            document = tutorial.document("main")
        else:
            document = uvicorn.ask(Ask("GET", "/openapi.json"))[2].decode()
        asks = [ask._replace(target=self.prefix + ask.target) for ask in generated.asks(document, mode)]
        return [ask for ask in asks if not re.match(self.left_out, ask.target)]


_STATEFUL = r"/(instance|concurrency|streams|sockets|responses/large)|.*/1\d\d$"
"""State, time, answers of any size; and a status that is of no final answer, which the host refuses."""
APPS = {
    "tutorial": App("tutorial", "everything", "everything:app"),
    **{f"tutorial-{name.removeprefix('apps.')}": App("tutorial", "everything", "everything:app", f"/{name.replace('.', '/')}") for name in tutorial.ALIKE if name != "main"},
    "conformance": App("conformance", "main", "everything:app", left_out=_STATEFUL),
    "answers": App("answers", "main", left_out="/busy/"),
}


@pytest.mark.parametrize("lane", component.LANES)
@pytest.mark.parametrize("mode", generated.MODES, ids=str)
@pytest.mark.parametrize("name", APPS)
def test_the_component_answers_as_uvicorn_does(tmp_path: Path, name: str, mode: GenerationMode, lane: str) -> None:
    app = APPS[name]
    wasm = component.built(GUESTS / app.folder, app.target, tmp_path / "app.wasm")
    with tutorial.uvicorn(app.reference, folder=GUESTS / app.folder) as servers, component.served(wasm, lane) as host:
        uvicorn = servers[app.reference]
        asks = app.asks(uvicorn, mode)
        found = [difference for ask in asks for difference in component.differences(uvicorn, host, ask)]
    assert asks and not found, f"{len(found)}\n" + "\n".join(found[:20])
