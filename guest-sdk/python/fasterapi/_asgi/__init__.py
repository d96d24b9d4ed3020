"""The ASGI engine: one request (`cycle`), the application's life (`lifespan`). It knows no transport and no WebAssembly.

It behaves as uvicorn does wherever an application can tell: the same scope, the same order of messages, the same errors.
"""
