"""Indexes of the studies in motion and held, in place of one of all that ever came.

Revision ID: 0004
Revises: 0003
Create Date: 2026-11-29 20:30:00.000000
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision: str = "0004"
down_revision: str | None = "0003"
branch_labels: str | None = None
depends_on: str | None = None

# As the queries are written for each: a partial index serves no other words.
SQLITE = sa.text("held_since IS NOT NULL OR settled_as_of IS NOT last_received_at")
POSTGRESQL = sa.text(
    "held_since IS NOT NULL OR settled_as_of IS DISTINCT FROM last_received_at"
)

HELD = sa.text("held_since IS NOT NULL")


def upgrade() -> None:
    op.drop_index(op.f("ix_studies_last_received_at"), table_name="studies")
    op.create_index(
        "ix_studies_in_motion",
        "studies",
        ["last_received_at"],
        unique=False,
        sqlite_where=SQLITE,
        postgresql_where=POSTGRESQL,
    )
    op.create_index(
        "ix_studies_held_since",
        "studies",
        ["held_since"],
        unique=False,
        sqlite_where=HELD,
        postgresql_where=HELD,
    )
