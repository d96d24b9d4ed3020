"""`fasterapi:postgres` on an ordinary Python: the names and shapes of the modules that componentize-py makes.

Behind them is a bridge, a process of `fasterapi-host` that owns the connections. It is started by the first call, with this
process's environment (`DATABASE_URL`, else the embedded server), and ends with this process. Calls of several threads run side by
side: each has a line to the bridge for its own length, a transaction one for its life.
"""

from __future__ import annotations

from . import client as client, types as types
from .attempts import aside as aside
from .line import HostError as HostError
