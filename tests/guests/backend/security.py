"""Passwords and tokens."""

from datetime import UTC, datetime, timedelta

import jwt
from pwdlib import PasswordHash
from pwdlib.hashers.argon2 import Argon2Hasher
from pwdlib.hashers.bcrypt import BcryptHasher

from settings import settings

ALGORITHM = "HS256"
passwords = PasswordHash((Argon2Hasher(), BcryptHasher()))
# Verified where there is no user, so that the answer takes as long as for one.
NOBODYS = "$argon2id$v=19$m=65536,t=3,p=4$V3yvFtrAcZevl6noQrohXA$Xy/54fXlW+Mqtx2STygiv+lGSOEtPOiUpAMsmUu+IIU"


def token_for(subject: str, lifetime: timedelta = timedelta(minutes=settings.token_minutes)) -> str:
    claims = {"sub": subject, "exp": datetime.now(UTC) + lifetime}
    return jwt.encode(claims, settings.secret.get_secret_value(), algorithm=ALGORITHM)


def subject_of(token: str) -> str:
    """Raises `jwt.InvalidTokenError`."""
    claims = jwt.decode(token, settings.secret.get_secret_value(), algorithms=[ALGORITHM], options={"require": ["exp", "sub"]})
    return str(claims["sub"])
