"""Alembic's entry: runs the revisions on the connection that ``services.database.migration`` hands in."""

from alembic import context

from services.database.tables import Base

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    # SQLite cannot alter most things in place: later revisions copy the table.
    render_as_batch=True,
)
context.run_migrations()
