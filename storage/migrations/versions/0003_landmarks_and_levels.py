"""Landmarks and levels: how regions were found, each root, the worst slice.

Revision ID: 0003
Revises: 0002
Create Date: 2026-11-29 17:45:00.000000
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision: str = "0003"
down_revision: str | None = "0002"
branch_labels: str | None = None
depends_on: str | None = None


def upgrade() -> None:
    _tell_how_regions_were_found()
    _tell_which_series_are_for_levels()
    _add_marks()
    for table, owner in (("slice", "slice_grades"), ("level", "level_grades")):
        _add_roots(table, owner)
    _add_worst_slices()
    _add_sagittal_views()


def _tell_how_regions_were_found() -> None:
    with op.batch_alter_table("slice_grades", schema=None) as batch_op:
        batch_op.add_column(sa.Column("region_origin", sa.String(32), nullable=True))
        batch_op.add_column(sa.Column("region_spread_mm", sa.Double(), nullable=True))
        batch_op.add_column(sa.Column("through_disc", sa.Boolean(), nullable=True))
    op.execute(
        "UPDATE slice_grades SET region_origin = "
        "CASE WHEN region_located THEN 'landmarks' ELSE 'centre' END"
    )
    with op.batch_alter_table("slice_grades", schema=None) as batch_op:
        batch_op.alter_column(
            "region_origin", existing_type=sa.String(32), nullable=False
        )
        batch_op.drop_column("region_located")
        batch_op.drop_column("landmark_confidence")


def _tell_which_series_are_for_levels() -> None:
    for table in ("series", "result_series"):
        with op.batch_alter_table(table, schema=None) as batch_op:
            batch_op.add_column(sa.Column("for_levels", sa.Boolean(), nullable=True))
        # A series without a reason has not been looked at, and nothing is known.
        verdicts = sa.table(
            table, sa.column("for_levels", sa.Boolean()), sa.column("reason", sa.Text())
        )
        known = verdicts.update().where(verdicts.c.reason.is_not(None))
        op.execute(known.values(for_levels=False))


def _add_marks() -> None:
    op.create_table(
        "slice_marks",
        sa.Column("slice_grade_id", sa.Integer(), nullable=False),
        sa.Column("mark", sa.String(32), nullable=False),
        sa.Column("row", sa.Double(), nullable=False),
        sa.Column("column", sa.Double(), nullable=False),
        sa.ForeignKeyConstraint(
            ["slice_grade_id"],
            ["slice_grades.id"],
            name=op.f("fk_slice_marks_slice_grade_id_slice_grades"),
        ),
        sa.PrimaryKeyConstraint("slice_grade_id", "mark", name=op.f("pk_slice_marks")),
    )


def _add_roots(of: str, owner: str) -> None:
    table, key = f"{of}_root_gradings", f"{of}_grade_id"
    op.create_table(
        table,
        sa.Column(key, sa.Integer(), nullable=False),
        sa.Column("side", sa.String(32), nullable=False),
        *(
            sa.Column(f"probability_{grade}", sa.Double(), nullable=False)
            for grade in range(4)
        ),
        sa.Column("temperature", sa.Double(), nullable=False),
        sa.Column("threshold", sa.Double(), nullable=True),
        sa.ForeignKeyConstraint(
            [key], [f"{owner}.id"], name=op.f(f"fk_{table}_{key}_{owner}")
        ),
        sa.PrimaryKeyConstraint(key, "side", name=op.f(f"pk_{table}")),
    )


def _add_worst_slices() -> None:
    op.create_table(
        "level_worst_slices",
        sa.Column("level_grade_id", sa.Integer(), nullable=False),
        sa.Column("finding", sa.String(32), nullable=False),
        *_slice_columns(),
        sa.ForeignKeyConstraint(
            ["level_grade_id"],
            ["level_grades.id"],
            name=op.f("fk_level_worst_slices_level_grade_id_level_grades"),
        ),
        sa.PrimaryKeyConstraint(
            "level_grade_id", "finding", name=op.f("pk_level_worst_slices")
        ),
    )


def _add_sagittal_views() -> None:
    op.create_table(
        "sagittal_views",
        sa.Column("result_id", sa.Integer(), nullable=False),
        *_slice_columns(),
        sa.ForeignKeyConstraint(
            ["result_id"],
            ["results.id"],
            name=op.f("fk_sagittal_views_result_id_results"),
        ),
        sa.PrimaryKeyConstraint("result_id", name=op.f("pk_sagittal_views")),
    )
    op.create_table(
        "sagittal_discs",
        sa.Column("result_id", sa.Integer(), nullable=False),
        sa.Column("ordinal", sa.Integer(), nullable=False),
        sa.Column("level", sa.String(32), nullable=False),
        sa.Column("row", sa.Double(), nullable=False),
        sa.Column("column", sa.Double(), nullable=False),
        sa.ForeignKeyConstraint(
            ["result_id"],
            ["sagittal_views.result_id"],
            name=op.f("fk_sagittal_discs_result_id_sagittal_views"),
        ),
        sa.PrimaryKeyConstraint("result_id", "ordinal", name=op.f("pk_sagittal_discs")),
    )


def _slice_columns() -> list[sa.Column[str] | sa.Column[int]]:
    return [
        sa.Column("series_instance_uid", sa.Text(), nullable=False),
        sa.Column("sop_instance_uid", sa.Text(), nullable=False),
        sa.Column("frame", sa.Integer(), nullable=False),
    ]
