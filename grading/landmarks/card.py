"""What a bundle's card says of its landmark networks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from grading.fields import Fields
from grading.landmarks.network import AXIAL, SAGITTAL, LandmarkSpec
from grading.provenance import Provenance, read_provenance


@dataclass(frozen=True, slots=True)
class Belief:
    """How the largest spread that is believed was chosen."""

    images: str
    """Which slices it was chosen on."""
    slices: int
    gross_mm: float
    """A sac centre that lies farther off is a gross error."""
    share_gross: float
    """Of the slices that are believed."""
    share_believed: float
    """Of all slices."""
    gross_believed: int | None = None
    """Gross errors below the limit; None in cards of versions that did not count."""
    gross_rejected: int | None = None
    """Gross errors above it: what the limit rests on, beside those where nothing was
    found."""


@dataclass(frozen=True, slots=True)
class LandmarkCard:
    """Two networks, what they learned from, and when they are believed."""

    axial: LandmarkSpec
    sagittal: LandmarkSpec
    largest_spread_mm: float
    """Looks at a slice that disagree by more have found nothing on it."""
    provenance: Provenance
    errors_mm: Mapping[str, float] = field(default_factory=dict)
    """Median error on validation slices, by point."""
    belief: Belief | None = None
    """None where nobody has chosen the spread on other images yet."""


def read_landmark_card(fields: Fields | None) -> LandmarkCard | None:
    """Read what a card says of landmarks, None where it says nothing."""
    if fields is None:
        return None
    card = LandmarkCard(
        axial=_spec("axial", fields, AXIAL),
        sagittal=_spec("sagittal", fields, SAGITTAL),
        largest_spread_mm=fields.number("largest_spread_mm"),
        provenance=read_provenance(fields.fields("provenance")),
        errors_mm=fields.fields("errors_mm").numbers(),
        belief=_belief(fields.optional_fields("belief")),
    )
    fields.end()
    if card.largest_spread_mm <= 0:
        raise fields.wrong(
            "largest_spread_mm", card.largest_spread_mm, "a positive length"
        )
    return card


def _belief(fields: Fields | None) -> Belief | None:
    if fields is None:
        return None
    belief = Belief(
        images=fields.text("images"),
        slices=fields.whole("slices"),
        gross_mm=fields.number("gross_mm"),
        share_gross=fields.number("share_gross"),
        share_believed=fields.number("share_believed"),
        gross_believed=fields.optional_whole("gross_believed"),
        gross_rejected=fields.optional_whole("gross_rejected"),
    )
    fields.end()
    return belief


def _spec(key: str, card: Fields, like: LandmarkSpec) -> LandmarkSpec:
    """Read a network of any size that answers what networks of its plane answer."""
    fields = card.fields(key)
    try:
        spec = LandmarkSpec(
            size_mm=fields.number("size_mm"),
            grid_pixels=fields.whole("grid_pixels"),
            widths=tuple(fields.wholes("widths")),
            points=fields.whole("points"),
            flags=fields.whole("flags"),
            many=fields.whole("many"),
        )
    except ValueError as error:
        raise card.wrong(key, str(error), "a network that can be built") from error
    fields.end()
    answers = (spec.points, spec.flags, spec.many)
    if answers != (like.points, like.flags, like.many):
        raise card.wrong(
            key,
            answers,
            f"{like.points} points, {like.flags} flags, {like.many} of many places",
        )
    return spec
