"""What a claim is, on whichever table: a lease with a fence.

A claimed row names who has it, until when, and the number of the claim. Every later
write names the same claim, and changes nothing where another one has come since.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

import sqlalchemy as sa
from sqlalchemy.orm import Session

from storage.tables import CommitmentRow, DeliveryRow, JobRow

FREE = MappingProxyType[str, object]({"claimed_by": None, "lease_until": None})
"""Of a row that nobody has claimed."""


@dataclass(frozen=True, slots=True)
class Claim:
    """The right to change one row."""

    row_id: int
    claimed_by: str
    claim_number: int
    """The fence: no two claims of a row share it."""


def move(
    session: Session,
    table: type[JobRow | DeliveryRow | CommitmentRow],
    claim: Claim,
    claimed: StrEnum,
    **values: object,
) -> bool:
    """Change a row that is still under this claim; False where it is not.

    Parameters
    ----------
    claimed
        The state that a row of this table is in while it is claimed.
    """
    moved = session.scalars(
        sa.update(table)
        .where(
            table.id == claim.row_id,
            table.state == claimed,
            table.claimed_by == claim.claimed_by,
            table.claim_number == claim.claim_number,
        )
        .values(**values)
        .returning(table.id)
    )
    return len(moved.all()) == 1
