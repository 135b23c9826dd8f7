"""What Alembic runs: one transaction on the connection it is given.

Without one (the command line of whoever writes a migration) it opens the
database named by ``-x url=...``.
"""

from __future__ import annotations

from typing import Any, Literal

import sqlalchemy as sa
from alembic import context
from sqlalchemy.engine import Connection

from storage.columns import AnyText, UtcDateTime
from storage.tables import metadata


def _plain_type(kind: str, column_type: Any, _: object) -> str | Literal[False]:
    """Write migrations in SQLAlchemy's own types: ours may change, they must not."""
    if kind == "type" and isinstance(column_type, UtcDateTime):
        return "sa.DateTime(timezone=True)"
    if kind == "type" and isinstance(column_type, AnyText):
        return "sa.Text()"
    if kind == "type" and isinstance(column_type, sa.Enum):
        return f"sa.String({column_type.length})"
    return False


def _run(connection: Connection) -> None:
    context.configure(
        connection=connection,
        target_metadata=metadata,
        render_as_batch=True,
        compare_type=True,
        render_item=_plain_type,
    )
    with context.begin_transaction():
        context.run_migrations()


if given := context.config.attributes.get("connection"):
    _run(given)
else:
    with sa.create_engine(
        context.get_x_argument(as_dictionary=True)["url"]
    ).begin() as opened:
        _run(opened)
