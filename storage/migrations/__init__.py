"""Schema migrations, append only.

To add one, change the tables and let Alembic write the difference against a
database that was migrated before the change; then read what it wrote::

    alembic -c storage/migrations/alembic.ini -x url=sqlite:///old.sqlite \
        revision --autogenerate --rev-id 0002 -m "Say what changes"

There is no way down: the way back is the backup made before ``migrate``.
"""
