"""Users in the database."""

from sqlmodel import Session, select

from models import NewUser, User, UserChange
from security import NOBODYS, passwords


def by_email(session: Session, email: str) -> User | None:
    return session.exec(select(User).where(User.email == email)).first()


def create(session: Session, new: NewUser) -> User:
    user = User.model_validate(new, update={"hashed_password": passwords.hash(new.password)})
    return saved(session, user)


def change(session: Session, user: User, wanted: UserChange) -> User:
    values = wanted.model_dump(exclude_unset=True)
    password = values.pop("password", None)
    more = {"hashed_password": passwords.hash(password)} if password else {}
    user.sqlmodel_update(values, update=more)
    return saved(session, user)


def authenticate(session: Session, email: str, password: str) -> User | None:
    user = by_email(session, email)
    verified, better = passwords.verify_and_update(password, user.hashed_password if user else NOBODYS)
    if user is None or not verified:
        return None
    if better is not None:
        user.hashed_password = better
        return saved(session, user)
    return user


def saved(session: Session, user: User) -> User:
    session.add(user)
    session.commit()
    session.refresh(user)
    return user
