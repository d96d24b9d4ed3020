"""Users: their own account, and all of them for a superuser."""

from typing import Any
from uuid import UUID

from fastapi import APIRouter, Depends, HTTPException
from sqlmodel import Session, col, func, select

import users
from dependencies import Current, Database, superuser
from models import Message, NewUser, PasswordChange, SignUp, User, UserChange, UserOut, UsersOut
from security import passwords

router = APIRouter(prefix="/users", tags=["users"])
for_superusers = [Depends(superuser)]


@router.get("/", dependencies=for_superusers, response_model=UsersOut)
def listed(database: Database, skip: int = 0, limit: int = 100) -> Any:
    count = database.exec(select(func.count()).select_from(User)).one()
    found = database.exec(select(User).order_by(col(User.email)).offset(skip).limit(limit)).all()
    return {"data": found, "count": count}


@router.post("/", dependencies=for_superusers, response_model=UserOut)
def created(new: NewUser, database: Database) -> User:
    must_be_free(database, new.email)
    return users.create(database, new)


@router.post("/signup", response_model=UserOut)
def signed_up(new: SignUp, database: Database) -> User:
    must_be_free(database, new.email)
    return users.create(database, NewUser.model_validate(new))


@router.get("/me", response_model=UserOut)
def me(user: Current) -> User:
    return user


@router.patch("/me", response_model=UserOut)
def change_me(wanted: UserChange, user: Current, database: Database) -> User:
    if wanted.email and wanted.email != user.email:
        must_be_free(database, wanted.email)
    return users.change(database, user, wanted)


@router.patch("/me/password")
def change_my_password(wanted: PasswordChange, user: Current, database: Database) -> Message:
    if not passwords.verify(wanted.current, user.hashed_password):
        raise HTTPException(400, "Incorrect password")
    users.change(database, user, UserChange(password=wanted.new))
    return Message(message="Password updated successfully")


@router.delete("/me")
def remove_me(user: Current, database: Database) -> Message:
    if user.is_superuser:
        raise HTTPException(403, "Super users are not allowed to delete themselves")
    database.delete(user)
    database.commit()
    return Message(message="User deleted successfully")


@router.get("/{user_id}", response_model=UserOut)
def shown(user_id: UUID, user: Current, database: Database) -> User:
    found = user if user.id == user_id else database.get(User, user_id)
    if found is not user and not user.is_superuser:
        raise HTTPException(403, "The user doesn't have enough privileges")
    if found is None:
        raise HTTPException(404, "User not found")
    return found


def must_be_free(database: Session, email: str) -> None:
    if users.by_email(database, email) is not None:
        raise HTTPException(409, "There is a user with this email already")
