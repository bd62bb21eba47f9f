"""Fixtures: an empty, migrated database of each kind for a test.

``database_url`` runs its test twice, on SQLite and on PostgreSQL.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import make_url

from services.database.migration import migrate
from services.database.session import Sessions, connect, sessions_of
from services.database.tables import new_id
from tests.support.debian import ServerMissing, left_out
from tests.support.postgres_server import postgres_server


def _execute(server: str, statement: str) -> None:
    url = make_url(server)
    with psycopg.connect(
        host=url.host, port=url.port, user=url.username, dbname="postgres", autocommit=True
    ) as connection:
        connection.execute(statement.encode())


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """URL of a private PostgreSQL, without a database name."""
    try:
        server = postgres_server()
        url = server.__enter__()
    except ServerMissing as missing:
        left_out(missing)
    try:
        yield url
    finally:
        server.__exit__(None, None, None)


@contextmanager
def fresh_database(server: str) -> Iterator[str]:
    """Make a database without tables on a server; its URL. It is dropped afterwards."""
    name = f"test_{new_id().replace('-', '')}"
    _execute(server, f"CREATE DATABASE {name}")
    yield server + name
    _execute(server, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
async def postgres_database(postgres_url: str) -> AsyncIterator[str]:
    """URL of a fresh PostgreSQL database that has no tables yet."""
    with fresh_database(postgres_url) as url:
        yield url


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """URL of a database that has no tables yet, of each kind in turn."""
    if request.param == "sqlite":
        return f"sqlite+aiosqlite:///{tmp_path / 'huifang.db'}"
    url: str = request.getfixturevalue("postgres_database")
    return url


@pytest.fixture
async def database_url(empty_database_url: str) -> str:
    """URL of a database with all tables and no rows but the roles, of each kind in turn."""
    await migrate(empty_database_url)
    return empty_database_url


@pytest.fixture
async def sessions(database_url: str) -> AsyncIterator[Sessions]:
    """Sessions on ``database_url``."""
    engine = connect(database_url)
    yield sessions_of(engine)
    await engine.dispose()
