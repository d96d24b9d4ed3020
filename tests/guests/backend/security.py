"""Passwords and tokens."""

from datetime import UTC, datetime, timedelta

import jwt
from pwdlib import PasswordHash
from pwdlib.hashers.bcrypt import BcryptHasher

from settings import settings

ALGORITHM = "HS256"
# Five rounds, since a test logs in often.
passwords = PasswordHash((BcryptHasher(rounds=5),))


def token_for(subject: str, lifetime: timedelta = timedelta(minutes=settings.token_minutes)) -> str:
    claims = {"sub": subject, "exp": datetime.now(UTC) + lifetime}
    return jwt.encode(claims, settings.secret.get_secret_value(), algorithm=ALGORITHM)


def subject_of(token: str) -> str:
    """Raises `jwt.InvalidTokenError`."""
    claims = jwt.decode(token, settings.secret.get_secret_value(), algorithms=[ALGORITHM], options={"require": ["exp", "sub"]})
    return str(claims["sub"])
