"""Items: everybody's own, all of them for a superuser."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, HTTPException
from sqlmodel import col, func, select

from dependencies import Current, Database
from models import Item, ItemBase, ItemChange, ItemOut, ItemsOut, Message

router = APIRouter(prefix="/items", tags=["items"])


def owned(item_id: UUID, database: Database, user: Current) -> Item:
    item = database.get(Item, item_id)
    if item is None:
        raise HTTPException(404, "Item not found")
    if not user.is_superuser and item.owner_id != user.id:
        raise HTTPException(403, "Not enough permissions")
    return item


Owned = Annotated[Item, Depends(owned)]


@router.get("/", response_model=ItemsOut)
def listed(database: Database, user: Current, skip: int = 0, limit: int = 100) -> Any:
    found, count = select(Item), select(func.count()).select_from(Item)
    if not user.is_superuser:
        found, count = found.where(Item.owner_id == user.id), count.where(Item.owner_id == user.id)
    items = database.exec(found.order_by(col(Item.title)).offset(skip).limit(limit)).all()
    return {"data": items, "count": database.exec(count).one()}


@router.post("/", response_model=ItemOut)
def created(new: ItemBase, database: Database, user: Current) -> Item:
    item = Item.model_validate(new, update={"owner_id": user.id})
    database.add(item)
    database.commit()
    database.refresh(item)
    return item


@router.get("/{item_id}", response_model=ItemOut)
def shown(item: Owned) -> Item:
    return item


@router.put("/{item_id}", response_model=ItemOut)
def changed(wanted: ItemChange, item: Owned, database: Database) -> Item:
    item.sqlmodel_update(wanted.model_dump(exclude_unset=True))
    database.add(item)
    database.commit()
    database.refresh(item)
    return item


@router.delete("/{item_id}")
def removed(item: Owned, database: Database) -> Message:
    database.delete(item)
    database.commit()
    return Message(message="Item deleted successfully")
