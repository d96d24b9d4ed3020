"""The tutorial as one component under the host, in both lanes, and under uvicorn: the same answers over HTTP."""

from __future__ import annotations

from pathlib import Path

import component
import pytest
import tutorial

TOPICS = {
    "main": [topic for topic in tutorial.TOPICS if f"apps.{topic}" not in tutorial.APPS],
    "apps.functions": ["functions"],
    "apps.layers": ["layers"],
}


@pytest.mark.parametrize("name", TOPICS)
@pytest.mark.parametrize("lane", component.LANES)
def test_the_component_answers_as_uvicorn_does(tmp_path: Path, lane: str, name: str) -> None:
    wasm = component.built(tutorial.FOLDER, f"{name}:app", tmp_path / "tutorial.wasm")
    asks = [ask for topic in TOPICS[name] for ask in tutorial.requests(topic)]
    with tutorial.uvicorn(name) as servers, component.served(wasm, lane) as host:
        found = [difference for ask in asks for difference in component.differences(servers[name], host, ask)]
    assert asks and not found, f"{len(found)}\n" + "\n".join(found)
