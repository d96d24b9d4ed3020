"""The compiled lane: a FastAPI route turned into one straight-line function while the component is built.

The ASGI lane is the reference. A plan does what FastAPI would do for a request that it fully understands, and hands everything else
back:

- **Before anything of the user's ran** (a value that does not validate, a body that is no JSON): the plan says *replay*, and the host
  sends the same request down the ASGI lane, which makes the error.
- **After it ran**, nothing is run again. The outcome, an exception, a response that streams, a coroutine that waits, is put down, and the
  host's next call takes it up inside FastAPI's own middleware and exception handlers (`lane.Lane.finish`).

`reasons` says which routes have a plan, and in words why others have not; `source` writes the plan's code; `support` is what that code
calls, with `generators` for dependencies that `yield`; `layers` puts the app's middleware around a plan, with `dispatch` for functions of
the app's own; `lane` is the table of plans.
"""
