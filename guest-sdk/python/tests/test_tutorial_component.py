"""The tutorial as one component under the host, in both lanes, and under uvicorn: the same answers over HTTP."""

from __future__ import annotations

from pathlib import Path

import component
import pytest
import tutorial


@pytest.mark.parametrize("lane", component.LANES)
def test_the_component_answers_as_uvicorn_does(tmp_path: Path, lane: str) -> None:
    wasm = component.built(tutorial.FOLDER, "main:app", tmp_path / "tutorial.wasm")
    topics = [topic for topic in tutorial.TOPICS if f"apps.{topic}" not in tutorial.APPS]
    asks = [ask for topic in topics for ask in tutorial.requests(topic)]
    with tutorial.uvicorn("main") as servers, component.served(wasm, lane) as host:
        found = [difference for ask in asks for difference in component.differences(servers["main"], host, ask)]
    assert asks and not found, f"{len(found)}\n" + "\n".join(found)
