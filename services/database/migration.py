"""Brings a database to the tables of this version."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, text
from sqlalchemy.ext.asyncio import AsyncEngine

from services.database.session import connect

MIGRATION_LOCK = 0x48_46_4D_47
"""Key of the PostgreSQL advisory lock that lets one process migrate at a time."""


async def migrate(url: str) -> None:
    """Create or upgrade the tables at ``url``. Safe to call from several processes at once.

    Raises:
        DatabaseError: the URL is of no kind this product knows.
    """
    engine = connect(url)
    try:
        await migrate_engine(engine)
    finally:
        await engine.dispose()


async def migrate_engine(engine: AsyncEngine) -> None:
    """Create or upgrade the tables of an engine, in one transaction."""
    async with engine.begin() as connection:
        await connection.run_sync(_upgrade)


def alembic_config() -> Config:
    """Return Alembic's configuration; needs no ini file."""
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    return config


def _upgrade(connection: Connection) -> None:
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": MIGRATION_LOCK})
    else:
        connection.exec_driver_sql("BEGIN IMMEDIATE")
    config = alembic_config()
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
