"""Reads the files that it brought along, by every way that apps have, and tries to reach others."""

import errno
import os
from importlib import metadata, resources
from pathlib import Path
from string import Template

from fastapi import FastAPI, HTTPException
from fastapi.responses import FileResponse, HTMLResponse
from fastapi.staticfiles import StaticFiles

app = FastAPI()
app.mount("/static", StaticFiles(directory="static"), name="static")
app.mount("/site", StaticFiles(directory=Path(__file__).parent / "static", html=True), name="site")
READ_AT_IMPORT = Path("templates/page.html").read_text()


@app.get("/page/{name}", response_class=HTMLResponse)
def page(name: str) -> str:
    text = Path("templates/page.html").read_text()
    assert text == READ_AT_IMPORT
    return Template(text).substitute(name=name)


@app.get("/download")
def download() -> FileResponse:
    return FileResponse("static/numbers.csv", filename="all numbers.csv")


@app.get("/lists")
def lists(folder: str = ".") -> list[str]:
    return sorted(os.listdir(folder))


@app.get("/versions/{package}")
def version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        raise HTTPException(404) from None


@app.get("/late")
def late() -> str:
    import idna.uts46data  # not imported while the app was built, from a package that brings files
    import quiet.inner

    return f"{quiet.inner.WORD} {len(idna.uts46data.__name__)} {resources.files('quiet').joinpath('word.txt').read_text()}"


@app.get("/reads")
def reads(path: str) -> str:
    return attempt(lambda: Path(path).read_text())


@app.get("/writes")
def writes(path: str) -> str:
    return attempt(lambda: Path(path).write_text("x"))


@app.get("/changes")
def changes(path: str) -> list[str]:
    tries = [
        lambda: os.remove(path), lambda: os.rename(path, path + "2"), lambda: os.truncate(path, 0), lambda: os.mkdir("new"),
        lambda: os.symlink("/etc", "link"), lambda: os.link(path, "hard"), lambda: os.utime(path, (0, 0)),
    ]  # fmt: skip
    return [attempt(step) for step in tries]


def attempt(step) -> str:
    try:
        return str(step())
    except OSError as error:
        return errno.errorcode.get(error.errno or 0, "none")
