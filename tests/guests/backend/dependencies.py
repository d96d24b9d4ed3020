"""Who asks, and with which session."""

from collections.abc import Iterator
from typing import Annotated
from uuid import UUID

import jwt
from fastapi import Depends, HTTPException, status
from fastapi.security import OAuth2PasswordBearer
from sqlmodel import Session, create_engine

from models import User
from security import subject_of
from settings import settings

engine = create_engine("postgresql+fasterapi://default")
bearer = OAuth2PasswordBearer(tokenUrl=f"{settings.api}/login/access-token")


def session() -> Iterator[Session]:
    with Session(engine) as opened:
        yield opened


Database = Annotated[Session, Depends(session)]


def current_user(database: Database, token: Annotated[str, Depends(bearer)]) -> User:
    try:
        subject = UUID(subject_of(token))
    except (jwt.InvalidTokenError, ValueError):
        raise HTTPException(status.HTTP_403_FORBIDDEN, "Could not validate credentials") from None
    user = database.get(User, subject)
    if user is None:
        raise HTTPException(status.HTTP_404_NOT_FOUND, "User not found")
    if not user.is_active:
        raise HTTPException(status.HTTP_400_BAD_REQUEST, "Inactive user")
    return user


Current = Annotated[User, Depends(current_user)]


def superuser(user: Current) -> User:
    if not user.is_superuser:
        raise HTTPException(status.HTTP_403_FORBIDDEN, "The user doesn't have enough privileges")
    return user
