from contextlib import closing
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

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


def upgrade_to(url: str, revision: str) -> None:
    with sa.create_engine(url).begin() as connection:
        config = _alembic_config()
        config.attributes["connection"] = connection
        command.upgrade(config, revision)
