"""Runs inside the guest's Python: compiles every module of the dependencies, then stops componentize-py.

A component made while its dependencies are being compiled carries megabytes of dead heap, so the caches are filled
beforehand, by this trusted module and not by an app's build, which could leave anything in them. The files are
checked by nobody afterwards (unchecked hash): the folder is kept under a key of its content.
"""

import compileall
import json
import py_compile

SITE = "/1"
RESULT = "/0/compiled.json"

ok = compileall.compile_dir(
    SITE, quiet=2, workers=1, invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH
)
with open(RESULT, "w") as result:
    json.dump({"ok": bool(ok)}, result)
raise SystemExit("compiled")
