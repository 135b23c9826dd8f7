"""Calibrated grades: the temperature and the threshold behind each.

Revision ID: 0002
Revises: 0001
Create Date: 2026-11-24 11:10:00.000000
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision: str = "0002"
down_revision: str | None = "0001"
branch_labels: str | None = None
depends_on: str | None = None


def upgrade() -> None:
    for table in ("slice_gradings", "level_gradings"):
        with op.batch_alter_table(table, schema=None) as batch_op:
            # No bundle had a temperature before: 1 is what they were graded with.
            batch_op.add_column(
                sa.Column(
                    "temperature", sa.Double(), nullable=False, server_default="1"
                )
            )
            batch_op.add_column(sa.Column("threshold", sa.Double(), nullable=True))
        with op.batch_alter_table(table, schema=None) as batch_op:
            batch_op.alter_column("temperature", server_default=None)
