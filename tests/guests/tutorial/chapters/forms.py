"""Forms and files: fields, models, bytes, uploads, several at once, with and without names."""

from typing import Annotated

from fastapi import APIRouter, File, Form, UploadFile
from pydantic import BaseModel, ConfigDict, Field
from ran import note

router = APIRouter(prefix="/forms", tags=["forms"])


@router.post("/login")
async def login(username: Annotated[str, Form()], password: Annotated[str, Form(min_length=3)]):
    note("login")
    return {"username": username, "length": len(password)}


@router.post("/fields")
def fields(
    n: Annotated[int, Form(ge=0)],
    many: Annotated[list[int], Form()] = [],  # noqa: B006
    flag: Annotated[bool, Form()] = False,
    other: Annotated[str | None, Form(alias="other-name")] = None,
):
    many.append(n)
    return {"n": n, "many": many, "flag": flag, "other": other}


class Registration(BaseModel):
    model_config = ConfigDict(extra="forbid")
    name: str = Field(max_length=20)
    age: int | None = None
    hobbies: list[str] = []


class Loose(BaseModel):
    model_config = ConfigDict(extra="allow")
    name: str = "nobody"


@router.post("/model")
async def model(data: Annotated[Registration, Form()]):
    return data


@router.post("/model/loose")
async def loose(data: Annotated[Loose, Form()]):
    return data.model_dump()


@router.post("/file")
async def file(data: Annotated[bytes, File(description="read as bytes")]):
    return {"length": len(data)}


@router.post("/upload")
async def upload(file: UploadFile):
    start = await file.read(4)
    await file.seek(0)
    whole = await file.read()
    await file.close()
    return {"name": file.filename, "type": file.content_type, "start": start.hex(), "length": len(whole), "size": file.size, "headers": sorted(file.headers)}


@router.post("/upload/sync")
def upload_sync(file: UploadFile):
    return {"text": file.file.read().decode("utf-8", "replace")}


@router.post("/upload/optional")
async def optional(file: UploadFile | None = None, data: Annotated[bytes | None, File()] = None):
    return {"file": file.filename if file else None, "data": None if data is None else len(data)}


@router.post("/uploads")
async def uploads(files: Annotated[list[UploadFile], File(description="several")]):
    return [[file.filename, len(await file.read())] for file in files]


@router.post("/files")
def files(files: Annotated[list[bytes], File()]):
    return [len(file) for file in files]


@router.post("/mixed")
async def mixed(file: Annotated[bytes, File()], extra: Annotated[UploadFile, File()], token: Annotated[str, Form()], note: Annotated[str, Form()] = "none"):
    return {"length": len(file), "type": extra.content_type, "token": token, "note": note}
