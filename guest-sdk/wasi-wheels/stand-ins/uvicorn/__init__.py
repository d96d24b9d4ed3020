"""Stands in for uvicorn inside a component, so that `import uvicorn` at the top of an app's file works.

The usual `uvicorn.run(app)` sits under `if __name__ == "__main__":` and never runs there: the host is the server.
"""

from typing import Any, NoReturn


def run(*_args: Any, **_kwargs: Any) -> NoReturn:
    """Refuses: the app is served by the host."""
    raise RuntimeError("the host serves this app: call uvicorn.run() only under `if __name__ == '__main__':`")


class Config:
    """Holds what it is given; nothing reads it."""

    def __init__(self, app: Any, **settings: Any) -> None:
        self.app = app
        self.settings = settings


class Server:
    """Refuses to serve."""

    def __init__(self, config: Config) -> None:
        self.config = config

    def run(self, *_args: Any, **_kwargs: Any) -> NoReturn:
        """Refuses: the app is served by the host."""
        run()

    async def serve(self, *_args: Any, **_kwargs: Any) -> NoReturn:
        """Refuses: the app is served by the host."""
        run()
