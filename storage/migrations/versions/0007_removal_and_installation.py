"""Files that go while their rows stay, and whose database this is.

Revision ID: 0007
Revises: 0006
Create Date: 2026-11-29 20:15:00.000000
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision: str = "0007"
down_revision: str | None = "0006"
branch_labels: str | None = None
depends_on: str | None = None

WITH_FILES = sa.text("files_removed_at IS NULL")
CONDEMNED = sa.text("condemned_at IS NOT NULL AND removed_at IS NULL")


def upgrade() -> None:
    # Columns that may be empty are added in place, without copying the receipts.
    op.add_column("studies", sa.Column("files_removed_at", sa.DateTime(timezone=True)))
    op.add_column("receipts", sa.Column("condemned_at", sa.DateTime(timezone=True)))
    op.add_column("receipts", sa.Column("removed_at", sa.DateTime(timezone=True)))
    op.create_index(
        "ix_receipts_condemned_at",
        "receipts",
        ["condemned_at"],
        sqlite_where=CONDEMNED,
        postgresql_where=CONDEMNED,
    )
    op.create_index(
        "ix_studies_created_at",
        "studies",
        ["created_at"],
        sqlite_where=WITH_FILES,
        postgresql_where=WITH_FILES,
    )
    op.create_table(
        "installation",
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("installation_id", sa.Text(), nullable=False),
        sa.Column("database_id", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("number", name="pk_installation"),
    )
