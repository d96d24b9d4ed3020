"""Runs inside the guest's Python: compiles modules, then stops componentize-py.

A component made while modules are being compiled carries megabytes of dead heap, so the compiled files are made
beforehand, by this trusted module and not by an app's build, which could leave anything in them. They go where
`sys.pycache_prefix` says, apart from the sources, because the standard library is unpacked anew for every run.
Nobody checks them against their sources afterwards (unchecked hash): they are kept under a key of their content.
"""

import sys

META = "/0"
PREFIX = "/2/.pyc"
sys.pycache_prefix = PREFIX

import compileall  # noqa: E402
import json  # noqa: E402
import py_compile  # noqa: E402
import re  # noqa: E402

UNCHECKED = py_compile.PycInvalidationMode.UNCHECKED_HASH
NOT_WANTED = re.compile(r"/\.pyc/|/(test|tests|idlelib|lib2to3|tkinter|turtledemo|ensurepip|pydoc_data)/")

with open(f"{META}/job.json") as job:
    folder = json.load(job)["folder"]
compileall.compile_dir(folder, quiet=2, workers=1, rx=NOT_WANTED, invalidation_mode=UNCHECKED)
with open(f"{META}/compiled.json", "w") as result:
    json.dump({"folder": folder}, result)
raise SystemExit("compiled")
