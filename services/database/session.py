"""Connections to the rows: one engine a process, on SQLite or PostgreSQL.

SQLite keeps one writer at a time: a transaction begins with its first writing statement and waits
there for its turn. Reads see the last commit and never wait (write-ahead log). What was read before
the first write may have changed by then, on PostgreSQL too: whoever decides by a row and then writes
says so in the statement (``UPDATE ... WHERE state = ...``), or writes to the row first.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sqlalchemy import URL, event, make_url
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.ext.asyncio import (
    AsyncEngine,
    AsyncSession,
    async_sessionmaker,
    create_async_engine,
)
from sqlalchemy.pool import ConnectionPoolEntry

BUSY_SECONDS = 15.0
"""How long a writer waits for the writer before it (SQLite)."""

Sessions = async_sessionmaker[AsyncSession]
"""Makes sessions; ``async with sessions.begin() as session`` commits at its end."""


class DatabaseError(Exception):
    """The database cannot be used as it is set.

    ``retryable``: whether the same may work later.
    """

    def __init__(self, message: str, *, retryable: bool = False) -> None:
        super().__init__(message)
        self.retryable = retryable


def connect(url: str) -> AsyncEngine:
    """Make the engine for ``postgresql+psycopg://…`` or ``sqlite+aiosqlite:///…``.

    An SQLite file's folder is made if it is missing. Nothing is connected yet. The text of a
    database error never quotes the values of the statement.

    Raises:
        DatabaseError: the URL names another kind of database or driver.
    """
    parsed = make_url(url)
    if parsed.drivername == "postgresql+psycopg":
        # The pool must outlive a restart of the server without an error reaching a call.
        return create_async_engine(parsed, pool_pre_ping=True, hide_parameters=True)
    if parsed.drivername == "sqlite+aiosqlite":
        return _sqlite(parsed)
    raise DatabaseError(
        f"{parsed.drivername} is not a database of this product; "
        "use postgresql+psycopg:// or sqlite+aiosqlite://"
    )


def sessions_of(engine: AsyncEngine) -> Sessions:
    """Make sessions whose rows stay readable after the commit."""
    return async_sessionmaker(engine, expire_on_commit=False)


def _sqlite(url: URL) -> AsyncEngine:
    if url.database and url.database != ":memory:":
        Path(url.database).parent.mkdir(parents=True, exist_ok=True)
    engine = create_async_engine(
        url,
        hide_parameters=True,
        connect_args={"timeout": BUSY_SECONDS},
    )

    @event.listens_for(engine.sync_engine, "connect")
    def set_up(connection: DBAPIConnection, _entry: ConnectionPoolEntry) -> None:
        cursor: Any = connection.cursor()
        cursor.execute("PRAGMA journal_mode=WAL")
        # FULL, not NORMAL: what was committed must survive a power cut too.
        cursor.execute("PRAGMA synchronous=FULL")
        cursor.execute("PRAGMA foreign_keys=ON")
        cursor.close()

    return engine
