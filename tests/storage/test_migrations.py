from contextlib import closing
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from grading.grades import Region, RegionOrigin, SliceKey
from storage import results
from storage.database import Database, _alembic_config, migrate, open_database
from storage.errors import DatabaseUnreachable
from storage.tables import metadata

PATIENT_WORDS = ("name", "birth", "patient")


def test_migrating_an_empty_database_gives_just_these_tables(
    database: Database,
) -> None:
    with database.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})

        difference = compare_metadata(context, metadata)

    assert difference == []


def test_constraints_have_the_names_a_later_migration_drops_them_by(
    database: Database,
) -> None:
    inspector = sa.inspect(database.engine)
    for table in metadata.sorted_tables:
        found = {it["name"] for it in inspector.get_unique_constraints(table.name)} | {
            it["name"] for it in inspector.get_foreign_keys(table.name)
        }

        expected = {
            it.name
            for it in table.constraints
            if isinstance(it, sa.UniqueConstraint | sa.ForeignKeyConstraint)
        }
        assert found == expected


def test_no_column_could_hold_a_patients_identity() -> None:
    columns = [column for table in metadata.sorted_tables for column in table.columns]

    suspicious = {
        column.name
        for column in columns
        if any(word in column.name for word in PATIENT_WORDS)
    }

    assert suspicious == {"patient_digest", "accepted_patients", "model_name"}


@pytest.fixture
def unfinished(tmp_path: Path) -> str:
    """A database in which the first migration meets a table of its own name."""
    url = f"sqlite:///{tmp_path}/unfinished.sqlite"
    with (
        closing(open_database(url)) as database,
        database.sessions.begin() as session,
    ):
        session.execute(sa.text("CREATE TABLE versions (id INTEGER)"))
    return url


def test_a_migration_that_fails_leaves_the_schema_as_it_was(unfinished: str) -> None:
    with pytest.raises(DatabaseUnreachable, match="versions already exists"):
        migrate(unfinished)

    with closing(open_database(unfinished)) as database:
        assert sa.inspect(database.engine).get_table_names() == ["versions"]


def test_grades_from_before_calibration_were_made_at_temperature_1(
    tmp_path: Path,
) -> None:
    url = f"sqlite:///{tmp_path}/filled.sqlite"
    upgrade_to(url, "0001")
    with closing(sa.create_engine(url).connect()) as connection:
        connection.execute(
            sa.text(
                "INSERT INTO slice_gradings VALUES (1, 0, 'LDH', 0.1, 0.2, 0.3, 0.4)"
            )
        )
        connection.commit()

    migrate(url)

    statement = sa.text("SELECT temperature, threshold FROM slice_gradings")
    with closing(sa.create_engine(url).connect()) as connection:
        assert connection.execute(statement).one() == (1.0, None)


@pytest.mark.parametrize(("located", "origin"), [(0, "centre"), (1, "landmarks")])
def test_grades_from_before_landmarks_keep_whether_their_region_was_located(
    tmp_path: Path, located: int, origin: str
) -> None:
    url = f"sqlite:///{tmp_path}/filled.sqlite"
    upgrade_to(url, "0002")
    with sa.create_engine(url).begin() as connection:
        fill_with_one_slice(connection, located)

    migrate(url)

    with closing(open_database(url)) as database, database.reading.begin() as session:
        found = results.latest(session, "1.2")
    assert found is not None
    (sliced,) = found.slices
    assert sliced.region == Region(1.0, 2.0, 54.0, RegionOrigin(origin))
    assert (sliced.key, sliced.through_disc) == (SliceKey("1.3", "1.4"), None)
    assert [verdict.for_levels for verdict in found.series] == [False]
    assert found.sagittal is None


def test_deliveries_from_before_have_waited_since_they_were_made(
    tmp_path: Path,
) -> None:
    url = f"sqlite:///{tmp_path}/filled.sqlite"
    upgrade_to(url, "0003")
    made = "2026-11-01 12:00:00.000000"
    with sa.create_engine(url).begin() as connection:
        insert(
            connection,
            "deliveries",
            {
                "id": 1, "result_id": 1, "kind": "picture", "destination": "pacs",
                "object_id": 1, "state": "waiting", "created_at": made,
                "changed_at": made, "not_before": made, "attempts": 0,
                "claim_number": 0,
            },
        )  # fmt: skip

    migrate(url)

    statement = sa.text("SELECT waiting_since FROM deliveries")
    with closing(sa.create_engine(url).connect()) as connection:
        assert connection.execute(statement).scalar_one() == made


def fill_with_one_slice(connection: sa.Connection, located: int) -> None:
    """Fill a database of revision 0002 with a result of one slice."""
    moment = "2026-11-01 12:00:00.000000"
    rows: list[tuple[str, dict[str, object]]] = [
        ("studies", {"study_instance_uid": "1.2", "created_at": moment, "revision": 1}),
        (
            "jobs",
            {
                "id": 1, "study_instance_uid": "1.2", "revision": 1, "state": "done",
                "kind": "grade", "priority": 0, "input_digest": "", "attempts": 1,
                "claim_number": 1, "created_at": moment, "not_before": moment,
            },
        ),
        (
            "results",
            {
                "id": 1, "job_id": 1, "study_instance_uid": "1.2", "revision": 1,
                "saved_at": moment, "model_name": "phantom", "model_version": "1",
                "model_sha256": "ab", "model_basis": "phantom",
            },
        ),
        (
            "result_series",
            {
                "result_id": 1, "ordinal": 0, "series_instance_uid": "1.3",
                "description": "", "plane": "axial", "weighting": "T2",
                "graded": 1, "reason": "axial T2-weighted", "slices": 3,
                "manufacturer": "", "model_name": "",
            },
        ),
        (
            "slice_grades",
            {
                "id": 1, "result_id": 1, "ordinal": 0, "slab": 1, "position_mm": 0.0,
                "region_row": 1.0, "region_column": 2.0, "region_size_mm": 54.0,
                "region_located": located, "series_instance_uid": "1.3",
                "sop_instance_uid": "1.4", "frame": 1,
            },
        ),
    ]  # fmt: skip
    for table, values in rows:
        insert(connection, table, values)


def insert(connection: sa.Connection, table: str, values: dict[str, object]) -> None:
    names = ", ".join(values)
    places = ", ".join(f":{name}" for name in values)
    connection.execute(
        sa.text(f"INSERT INTO {table} ({names}) VALUES ({places})"),  # noqa: S608
        values,
    )


def upgrade_to(url: str, revision: str) -> None:
    with sa.create_engine(url).begin() as connection:
        config = _alembic_config()
        config.attributes["connection"] = connection
        command.upgrade(config, revision)
