"""First schema.

Revision ID: 0001
Revises:
Create Date: 2026-11-24 07:29:22.432378
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision: str = "0001"
down_revision: str | None = None
branch_labels: str | None = None
depends_on: str | None = None


def upgrade() -> None:
    op.create_table(
        "alarms",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(32), nullable=False),
        sa.Column("study_instance_uid", sa.Text(), nullable=True),
        sa.Column("sentence", sa.Text(), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.Column("first_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("resolved_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("open_key", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_alarms")),
        sa.UniqueConstraint("open_key", name=op.f("uq_alarms_open_key")),
    )
    op.create_table(
        "studies",
        sa.Column("study_instance_uid", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_received_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("settled_as_of", sa.DateTime(timezone=True), nullable=True),
        sa.Column("input_digest", sa.Text(), nullable=True),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("held_since", sa.DateTime(timezone=True), nullable=True),
        sa.Column("hold_reason", sa.Text(), nullable=True),
        sa.Column("accepted_patients", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("study_instance_uid", name=op.f("pk_studies")),
    )
    with op.batch_alter_table("studies", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_studies_last_received_at"),
            ["last_received_at"],
            unique=False,
        )

    op.create_table(
        "jobs",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("study_instance_uid", sa.Text(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(32), nullable=False),
        sa.Column("state", sa.String(32), nullable=False),
        sa.Column("priority", sa.Integer(), nullable=False),
        sa.Column("campaign_id", sa.Text(), nullable=True),
        sa.Column("input_digest", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("claim_number", sa.Integer(), nullable=False),
        sa.Column("claimed_by", sa.Text(), nullable=True),
        sa.Column("lease_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("not_before", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["study_instance_uid"],
            ["studies.study_instance_uid"],
            name=op.f("fk_jobs_study_instance_uid_studies"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_jobs")),
        sa.UniqueConstraint(
            "study_instance_uid",
            "revision",
            "kind",
            name=op.f("uq_jobs_study_instance_uid_revision_kind"),
        ),
    )
    with op.batch_alter_table("jobs", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_jobs_campaign_id"), ["campaign_id"], unique=False
        )
        batch_op.create_index(
            batch_op.f("ix_jobs_state_priority_created_at"),
            ["state", "priority", "created_at"],
            unique=False,
        )

    op.create_table(
        "series",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("study_instance_uid", sa.Text(), nullable=False),
        sa.Column("modality", sa.Text(), nullable=False),
        sa.Column("series_instance_uid", sa.Text(), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("plane", sa.String(32), nullable=True),
        sa.Column("weighting", sa.String(32), nullable=True),
        sa.Column("graded", sa.Boolean(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("slices", sa.Integer(), nullable=True),
        sa.Column("manufacturer", sa.Text(), nullable=True),
        sa.Column("model_name", sa.Text(), nullable=True),
        sa.Column("field_strength_tesla", sa.Double(), nullable=True),
        sa.ForeignKeyConstraint(
            ["study_instance_uid"],
            ["studies.study_instance_uid"],
            name=op.f("fk_series_study_instance_uid_studies"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_series")),
        sa.UniqueConstraint(
            "study_instance_uid",
            "series_instance_uid",
            name=op.f("uq_series_study_instance_uid_series_instance_uid"),
        ),
    )
    op.create_table(
        "instances",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("series_id", sa.Integer(), nullable=False),
        sa.Column("sop_instance_uid", sa.Text(), nullable=False),
        sa.Column("current_version", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["series_id"], ["series.id"], name=op.f("fk_instances_series_id_series")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_instances")),
        sa.UniqueConstraint(
            "series_id",
            "sop_instance_uid",
            name=op.f("uq_instances_series_id_sop_instance_uid"),
        ),
    )
    op.create_table(
        "results",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("job_id", sa.Integer(), nullable=False),
        sa.Column("study_instance_uid", sa.Text(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("saved_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("model_name", sa.Text(), nullable=False),
        sa.Column("model_version", sa.Text(), nullable=False),
        sa.Column("model_sha256", sa.Text(), nullable=False),
        sa.Column("model_basis", sa.String(32), nullable=False),
        sa.ForeignKeyConstraint(
            ["job_id"], ["jobs.id"], name=op.f("fk_results_job_id_jobs")
        ),
        sa.ForeignKeyConstraint(
            ["study_instance_uid"],
            ["studies.study_instance_uid"],
            name=op.f("fk_results_study_instance_uid_studies"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_results")),
        sa.UniqueConstraint("job_id", name=op.f("uq_results_job_id")),
        sa.UniqueConstraint(
            "study_instance_uid",
            "revision",
            name=op.f("uq_results_study_instance_uid_revision"),
        ),
    )
    with op.batch_alter_table("results", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_results_model_sha256"), ["model_sha256"], unique=False
        )

    op.create_table(
        "level_grades",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("result_id", sa.Integer(), nullable=False),
        sa.Column("ordinal", sa.Integer(), nullable=False),
        sa.Column("level", sa.String(32), nullable=True),
        sa.Column("slab", sa.Integer(), nullable=False),
        sa.Column("slabs", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["result_id"],
            ["results.id"],
            name=op.f("fk_level_grades_result_id_results"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_level_grades")),
        sa.UniqueConstraint(
            "result_id", "ordinal", name=op.f("uq_level_grades_result_id_ordinal")
        ),
    )
    op.create_table(
        "objects",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("result_id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(32), nullable=False),
        sa.Column("rank", sa.Integer(), nullable=False),
        sa.Column("sop_class_uid", sa.Text(), nullable=False),
        sa.Column("sop_instance_uid", sa.Text(), nullable=False),
        sa.Column("series_instance_uid", sa.Text(), nullable=False),
        sa.Column("root", sa.String(32), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.Column("size_bytes", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["result_id"], ["results.id"], name=op.f("fk_objects_result_id_results")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_objects")),
        sa.UniqueConstraint(
            "result_id", "kind", "rank", name=op.f("uq_objects_result_id_kind_rank")
        ),
    )
    with op.batch_alter_table("objects", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_objects_sop_instance_uid"),
            ["sop_instance_uid"],
            unique=False,
        )

    op.create_table(
        "receipts",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("association", sa.Text(), nullable=False),
        sa.Column("calling_ae_title", sa.Text(), nullable=False),
        sa.Column("peer_address", sa.Text(), nullable=False),
        sa.Column("sop_class_uid", sa.Text(), nullable=False),
        sa.Column("sop_instance_uid", sa.Text(), nullable=False),
        sa.Column("transfer_syntax_uid", sa.Text(), nullable=False),
        sa.Column("state", sa.String(32), nullable=False),
        sa.Column("filed", sa.String(32), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("instance_id", sa.Integer(), nullable=True),
        sa.Column("root", sa.String(32), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.Column("size_bytes", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["instance_id"],
            ["instances.id"],
            name=op.f("fk_receipts_instance_id_instances"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_receipts")),
    )
    with op.batch_alter_table("receipts", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_receipts_instance_id"), ["instance_id"], unique=False
        )
        batch_op.create_index(
            batch_op.f("ix_receipts_state_recorded_at"),
            ["state", "recorded_at"],
            unique=False,
        )

    op.create_table(
        "result_notes",
        sa.Column("result_id", sa.Integer(), nullable=False),
        sa.Column("ordinal", sa.Integer(), nullable=False),
        sa.Column("sentence", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["result_id"],
            ["results.id"],
            name=op.f("fk_result_notes_result_id_results"),
        ),
        sa.PrimaryKeyConstraint("result_id", "ordinal", name=op.f("pk_result_notes")),
    )
    op.create_table(
        "result_series",
        sa.Column("result_id", sa.Integer(), nullable=False),
        sa.Column("ordinal", sa.Integer(), nullable=False),
        sa.Column("series_instance_uid", sa.Text(), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("plane", sa.String(32), nullable=True),
        sa.Column("weighting", sa.String(32), nullable=True),
        sa.Column("graded", sa.Boolean(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("slices", sa.Integer(), nullable=True),
        sa.Column("manufacturer", sa.Text(), nullable=True),
        sa.Column("model_name", sa.Text(), nullable=True),
        sa.Column("field_strength_tesla", sa.Double(), nullable=True),
        sa.ForeignKeyConstraint(
            ["result_id"],
            ["results.id"],
            name=op.f("fk_result_series_result_id_results"),
        ),
        sa.PrimaryKeyConstraint("result_id", "ordinal", name=op.f("pk_result_series")),
    )
    op.create_table(
        "slice_grades",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("result_id", sa.Integer(), nullable=False),
        sa.Column("ordinal", sa.Integer(), nullable=False),
        sa.Column("slab", sa.Integer(), nullable=False),
        sa.Column("position_mm", sa.Double(), nullable=False),
        sa.Column("region_row", sa.Double(), nullable=False),
        sa.Column("region_column", sa.Double(), nullable=False),
        sa.Column("region_size_mm", sa.Double(), nullable=False),
        sa.Column("region_located", sa.Boolean(), nullable=False),
        sa.Column("landmark_confidence", sa.Double(), nullable=True),
        sa.Column("level", sa.String(32), nullable=True),
        sa.Column("series_instance_uid", sa.Text(), nullable=False),
        sa.Column("sop_instance_uid", sa.Text(), nullable=False),
        sa.Column("frame", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["result_id"],
            ["results.id"],
            name=op.f("fk_slice_grades_result_id_results"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_slice_grades")),
        sa.UniqueConstraint(
            "result_id", "ordinal", name=op.f("uq_slice_grades_result_id_ordinal")
        ),
    )
    op.create_table(
        "deliveries",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("result_id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(32), nullable=False),
        sa.Column("destination", sa.Text(), nullable=False),
        sa.Column("object_id", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(32), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_error", sa.Text(), nullable=True),
        sa.Column("last_status", sa.Integer(), nullable=True),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("claim_number", sa.Integer(), nullable=False),
        sa.Column("claimed_by", sa.Text(), nullable=True),
        sa.Column("lease_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("not_before", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["object_id"], ["objects.id"], name=op.f("fk_deliveries_object_id_objects")
        ),
        sa.ForeignKeyConstraint(
            ["result_id"], ["results.id"], name=op.f("fk_deliveries_result_id_results")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_deliveries")),
        sa.UniqueConstraint(
            "result_id",
            "kind",
            "destination",
            name=op.f("uq_deliveries_result_id_kind_destination"),
        ),
    )
    with op.batch_alter_table("deliveries", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_deliveries_destination_state_not_before"),
            ["destination", "state", "not_before"],
            unique=False,
        )
        batch_op.create_index(
            batch_op.f("ix_deliveries_object_id"), ["object_id"], unique=False
        )

    op.create_table(
        "level_gradings",
        sa.Column("level_grade_id", sa.Integer(), nullable=False),
        sa.Column("finding", sa.String(32), nullable=False),
        sa.Column("probability_0", sa.Double(), nullable=False),
        sa.Column("probability_1", sa.Double(), nullable=False),
        sa.Column("probability_2", sa.Double(), nullable=False),
        sa.Column("probability_3", sa.Double(), nullable=False),
        sa.ForeignKeyConstraint(
            ["level_grade_id"],
            ["level_grades.id"],
            name=op.f("fk_level_gradings_level_grade_id_level_grades"),
        ),
        sa.PrimaryKeyConstraint(
            "level_grade_id", "finding", name=op.f("pk_level_gradings")
        ),
    )
    op.create_table(
        "level_slices",
        sa.Column("level_grade_id", sa.Integer(), nullable=False),
        sa.Column("ordinal", sa.Integer(), nullable=False),
        sa.Column("series_instance_uid", sa.Text(), nullable=False),
        sa.Column("sop_instance_uid", sa.Text(), nullable=False),
        sa.Column("frame", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["level_grade_id"],
            ["level_grades.id"],
            name=op.f("fk_level_slices_level_grade_id_level_grades"),
        ),
        sa.PrimaryKeyConstraint(
            "level_grade_id", "ordinal", name=op.f("pk_level_slices")
        ),
    )
    op.create_table(
        "slice_gradings",
        sa.Column("slice_grade_id", sa.Integer(), nullable=False),
        sa.Column("further", sa.Boolean(), nullable=False),
        sa.Column("head", sa.Text(), nullable=False),
        sa.Column("probability_0", sa.Double(), nullable=False),
        sa.Column("probability_1", sa.Double(), nullable=False),
        sa.Column("probability_2", sa.Double(), nullable=False),
        sa.Column("probability_3", sa.Double(), nullable=False),
        sa.ForeignKeyConstraint(
            ["slice_grade_id"],
            ["slice_grades.id"],
            name=op.f("fk_slice_gradings_slice_grade_id_slice_grades"),
        ),
        sa.PrimaryKeyConstraint(
            "slice_grade_id", "further", "head", name=op.f("pk_slice_gradings")
        ),
    )
    op.create_table(
        "versions",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("instance_id", sa.Integer(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("content_digest", sa.Text(), nullable=False),
        sa.Column("patient_digest", sa.Text(), nullable=False),
        sa.Column("sop_class_uid", sa.Text(), nullable=False),
        sa.Column("role", sa.String(32), nullable=False),
        sa.Column("receipt_id", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["instance_id"],
            ["instances.id"],
            name=op.f("fk_versions_instance_id_instances"),
        ),
        sa.ForeignKeyConstraint(
            ["receipt_id"],
            ["receipts.id"],
            name=op.f("fk_versions_receipt_id_receipts"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_versions")),
        sa.UniqueConstraint(
            "instance_id",
            "content_digest",
            name=op.f("uq_versions_instance_id_content_digest"),
        ),
        sa.UniqueConstraint(
            "instance_id", "number", name=op.f("uq_versions_instance_id_number")
        ),
        sa.UniqueConstraint("receipt_id", name=op.f("uq_versions_receipt_id")),
    )
