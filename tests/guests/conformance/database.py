"""Postgres through the host."""
from fastapi import APIRouter
router = APIRouter(prefix="/pg")
