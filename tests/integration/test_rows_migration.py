"""The migrations make exactly the tables that the product maps, on both databases."""

from __future__ import annotations

import asyncio

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, inspect, select
from sqlalchemy.exc import IntegrityError

from services.database.migration import migrate
from services.database.session import DatabaseError, Sessions, connect
from services.database.tables import Base, DutyShift, Role, SetupToken
from tests.support.rows import NOW, add_attempt, add_follow_up


async def test_migrations_and_mapped_tables_agree(database_url: str) -> None:
    def differences(connection: Connection) -> list[object]:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        found: list[object] = compare_metadata(context, Base.metadata)
        return found

    engine = connect(database_url)
    async with engine.connect() as connection:
        assert await connection.run_sync(differences) == []
        live = await connection.run_sync(
            lambda c: next(
                index
                for index in inspect(c).get_indexes("attempts")
                if index["name"] == "uq_attempts_one_live_per_patient"
            )
        )
    await engine.dispose()
    assert live["unique"]
    condition = live["dialect_options"][f"{engine.dialect.name}_where"]
    assert "ended_at IS NULL" in str(condition)


async def test_several_processes_may_migrate_at_once(empty_database_url: str) -> None:
    await asyncio.gather(*(migrate(empty_database_url) for _ in range(4)))
    engine = connect(empty_database_url)
    async with engine.connect() as connection:
        assert await connection.run_sync(lambda c: inspect(c).has_table("attempts"))
    await engine.dispose()


async def test_the_three_roles_are_there(sessions: Sessions) -> None:
    async with sessions() as session:
        roles = {role.name: role.permissions for role in await session.scalars(select(Role))}
    assert set(roles) == {"nurse", "supervisor", "administrator"}
    assert "acknowledge_alerts" in roles["nurse"]
    assert "manage_users" in roles["administrator"]
    assert "manage_users" not in roles["nurse"]


async def test_a_second_live_attempt_at_a_patient_is_refused(sessions: Sessions) -> None:
    follow_up = await add_follow_up(sessions)
    await add_attempt(sessions, follow_up, number=1)
    with pytest.raises(IntegrityError):
        await add_attempt(sessions, follow_up, number=2)


async def test_an_attempt_that_ended_makes_room_for_the_next(sessions: Sessions) -> None:
    follow_up = await add_follow_up(sessions)
    await add_attempt(sessions, follow_up, number=1, ended_at=NOW)
    await add_attempt(sessions, follow_up, number=2)


async def test_foreign_keys_hold_and_errors_quote_no_row(sessions: Sessions) -> None:
    stray = DutyShift(user_id="nobody-at-all", starts_at=NOW, ends_at=NOW)
    with pytest.raises(IntegrityError) as refused:
        async with sessions.begin() as session:
            session.add(stray)
    assert "[SQL parameters hidden" in str(refused.value)


async def test_writers_wait_for_each_other(sessions: Sessions) -> None:
    async def read_then_write(index: int) -> None:
        async with sessions.begin() as session:
            await session.scalars(select(SetupToken))
            await asyncio.sleep(0.01)
            session.add(SetupToken(token_hash=f"{index:064}", created_at=NOW, expires_at=NOW))

    await asyncio.gather(*(read_then_write(i) for i in range(12)))
    async with sessions() as session:
        assert len((await session.scalars(select(SetupToken))).all()) == 12


def test_another_kind_of_database_is_refused() -> None:
    with pytest.raises(DatabaseError, match="use postgresql"):
        connect("mysql://somewhere/else")
