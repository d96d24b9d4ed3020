"""The tutorial under requests that schemathesis makes of its OpenAPI documents, in this Python (test_generated_component.py has the host)."""

from __future__ import annotations

import logging

import generated
import pytest
import tutorial
from lanes import Lanes
from schemathesis import GenerationMode
from test_tutorial import differences, pairs, servers  # noqa: F401
from tutorial import Server


@pytest.mark.parametrize("mode", generated.MODES, ids=str)
@pytest.mark.parametrize("name", tutorial.ALIKE)
def test_all_three_agree(servers: dict[str, Server], pairs: dict[str, Lanes], name: str, mode: GenerationMode, caplog: pytest.LogCaptureFixture) -> None:  # noqa: F811
    caplog.set_level(logging.CRITICAL, "python_multipart")
    asks = generated.asks(tutorial.document(name), mode)
    found = [difference for ask in asks for difference in differences(pairs[name], servers[name], ask)]
    assert asks and not found, f"{len(found)}\n" + "\n".join(found[:20])
