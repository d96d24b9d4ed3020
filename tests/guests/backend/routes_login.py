"""Logging in, and the mail for whoever forgot a password."""

from datetime import timedelta
from typing import Annotated

from fastapi import APIRouter, Depends, HTTPException
from fastapi.responses import HTMLResponse
from fastapi.security import OAuth2PasswordRequestForm
from jinja2 import Environment, FileSystemLoader, select_autoescape

import users
from dependencies import Current, Database, superuser
from models import Token, User, UserOut
from security import token_for
from settings import settings

router = APIRouter(tags=["login"])
mails = Environment(loader=FileSystemLoader("templates"), autoescape=select_autoescape())


@router.post("/login/access-token")
def log_in(database: Database, form: Annotated[OAuth2PasswordRequestForm, Depends()]) -> Token:
    user = users.authenticate(database, form.username, form.password)
    if user is None:
        raise HTTPException(400, "Incorrect email or password")
    if not user.is_active:
        raise HTTPException(400, "Inactive user")
    return Token(access_token=token_for(str(user.id)))


@router.post("/login/test-token", response_model=UserOut)
def test_token(user: Current) -> User:
    return user


@router.post("/password-recovery-html/{email}", dependencies=[Depends(superuser)], response_class=HTMLResponse)
def recovery_mail(email: str, database: Database) -> HTMLResponse:
    user = users.by_email(database, email)
    if user is None:
        raise HTTPException(404, "There is no user with this email")
    token = token_for(user.email, timedelta(hours=48))
    page = mails.get_template("recovery.html").render(project=settings.project, email=user.email, token=token)
    return HTMLResponse(page, headers={"subject": f"{settings.project}: new password"})
