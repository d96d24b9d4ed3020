"""Whether this code runs while a component is built, or in a component that serves, or in an ordinary Python."""

from __future__ import annotations

import sys

IN_COMPONENT = sys.platform == "wasi"

building = IN_COMPONENT
"""True until the component is made: nothing of the host's is there yet, and a call to it would end the build."""
