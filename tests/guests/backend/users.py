"""Users in the database."""

from sqlmodel import Session, select

from models import NewUser, User, UserChange
from security import passwords


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
    if user is None or not passwords.verify(password, user.hashed_password):
        return None
    return user


def saved(session: Session, user: User) -> User:
    session.add(user)
    session.commit()
    session.refresh(user)
    return user
