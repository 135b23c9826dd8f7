"""How a bundle's landmarks do on real slices, beside the guess "the image centre".

Usage::

    python -m benchmarks.real_slices BUNDLE --rsna STUDY_FOLDER
    python -m benchmarks.real_slices BUNDLE --images FOLDER --sheet sheet.png

``--rsna`` takes a study of the RSNA 2024 training set with ``label_coordinates.csv``
beside its series and compares the region's centre with the midpoint of both recess
points, on the slices as they are and on variants: cropped off-centre, turned, scaled,
with other intensities. ``--images`` takes PNG or DICOM files and draws what was found,
for eyes to judge. Neither data nor sheets made from RSNA images may be passed on.
"""

from __future__ import annotations

import argparse
import csv
import math
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pydicom
import torch
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from grading.bundle import load_bundle, locator_of
from grading.grades import AxialMarks, PixelPoint
from grading.headers import image_headers
from grading.landmarks.found import AxialFound, Locator
from grading.series import Slice, decode
from grading.training.believe import bare_slice

VARIANTS = 20
LARGEST_SHIFT_MM = 40.0
LARGEST_TURN_DEG = 15.0
RESAMPLED = (0.75, 1.35)
CROPPED_SHARE = 0.8
"""Side of a variant over that of its slice."""
PNG_SPACING_MM = 0.6875
"""What the authors of the public Siemens slices give; PNG files carry none."""
COLOURS = {
    "disc_margin": "red",
    "sac_centre": "cyan",
    "facet_right": "yellow",
    "facet_left": "lime",
}
TILE_PIXELS = 240


@dataclass(frozen=True, slots=True)
class Marked:
    """A slice and where its region's centre should lie."""

    slice_: Slice
    centre: PixelPoint
    name: str


def main() -> None:
    """Print the distances, or draw the sheet."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("bundle", type=Path)
    parser.add_argument("--rsna", type=Path)
    parser.add_argument("--images", type=Path)
    parser.add_argument("--sheet", type=Path, default=Path("sheet.png"))
    parser.add_argument("--seed", type=int, default=5)
    arguments = parser.parse_args()
    bundle = load_bundle(arguments.bundle)
    locator = locator_of(bundle, torch.device("cpu"))
    if locator is None or bundle.card.landmarks is None:
        parser.error(f"{arguments.bundle} has no landmark networks")
    if arguments.rsna:
        marked = list(recesses(arguments.rsna))
        if not marked:
            parser.error(f"{arguments.rsna} marks no level on both sides")
        believed_mm = bundle.card.landmarks.largest_spread_mm
        report_distances(locator, marked, believed_mm, arguments.seed)
    if arguments.images:
        slices = [one for path in files(arguments.images) for one in read(path)]
        if not slices:
            parser.error(f"{arguments.images} holds no image (.png or .dcm)")
        draw_sheet(arguments.sheet, slices, locator.axial(slices))


def recesses(study: Path) -> Iterator[Marked]:
    """Yield the slices that carry a recess point, with the midpoint of both sides.

    A side that was marked on a slice nearby is taken over: the points lie in the same
    patient, one or two slices away. A level with one side alone has no midpoint.
    """
    sides: dict[str, dict[str, tuple[str, int, float, float]]] = defaultdict(dict)
    with (study / "label_coordinates.csv").open(encoding="utf-8") as file:
        for row in csv.DictReader(file):
            side, _, condition = row["condition"].partition("_")
            if condition == "subarticular_stenosis":
                sides[row["level"]][side] = (
                    row["series_id"],
                    int(row["instance_number"]),
                    float(row["x"]),
                    float(row["y"]),
                )
    for level, both in sorted(sides.items()):
        if len(both) < 2:
            continue
        x = sum(one[2] for one in both.values()) / len(both)
        y = sum(one[3] for one in both.values()) / len(both)
        for series, number in sorted({one[:2] for one in both.values()}):
            [slice_] = read(study / series / f"{number}.dcm")
            yield Marked(slice_, PixelPoint(y, x), f"{level} {number}")


def report_distances(
    locator: Locator, marked: Sequence[Marked], believed_mm: float, seed: int
) -> None:
    """Print the region's distance from its mark, on slices and on their variants.

    Looks that disagree by more than ``believed_mm`` count as not found in service.
    """
    rng = np.random.default_rng(seed)
    varied = [vary(one, rng) for one in marked for _ in range(VARIANTS)]
    print("| slices | what | median mm | 95 % | worst | over 8 mm | over 12 mm |")
    print("|---|---|---|---|---|---|---|")
    single: list[str] = []
    for name, some in (("as they are", marked), ("variants", varied)):
        found = locator.axial([one.slice_ for one in some])
        ours = [
            away_mm(one, region_centre(at.marks))
            for one, at in zip(some, found, strict=True)
        ]
        guess = [away_mm(one, _middle(one.slice_)) for one in some]
        for what, away in (("landmarks", ours), ("image centre", guess)):
            print(_line(name, what, np.array(away)))
        spreads = np.array(
            [math.inf if one.spread_mm is None else one.spread_mm for one in found]
        )
        if name == "as they are":
            single = [
                f"{one.name}: {mm:.1f} mm, spread {spread:.1f} mm"
                for one, mm, spread in zip(some, ours, spreads, strict=True)
            ]
        believed = np.array(ours)[spreads <= believed_mm]
        print(_line(name, f"landmarks, spread up to {believed_mm:g} mm", believed))
    print("", *single, sep="\n")


def vary(marked: Marked, rng: np.random.Generator) -> Marked:
    """Return a slice cropped off-centre, turned, resampled, with other intensities."""
    spacing = _spacing_mm(marked.slice_)
    rows, columns = marked.slice_.pixels.shape
    zoom = rng.uniform(*RESAMPLED)
    turn = math.radians(rng.uniform(-LARGEST_TURN_DEG, LARGEST_TURN_DEG))
    shift_mm = rng.uniform(-LARGEST_SHIFT_MM, LARGEST_SHIFT_MM, 2)
    side = [round(length * CROPPED_SHARE / zoom) for length in (rows, columns)]
    pitch = [one * zoom for one in spacing]
    at_rows, at_columns = np.meshgrid(
        (np.arange(side[0]) - (side[0] - 1) / 2) * pitch[0],
        (np.arange(side[1]) - (side[1] - 1) / 2) * pitch[1],
        indexing="ij",
    )
    cosine, sine = math.cos(turn), math.sin(turn)
    down_mm = cosine * at_rows - sine * at_columns + shift_mm[0]
    across_mm = sine * at_rows + cosine * at_columns + shift_mm[1]
    pixels = _sampled(
        marked.slice_.pixels,
        down_mm / spacing[0] + (rows - 1) / 2,
        across_mm / spacing[1] + (columns - 1) / 2,
    )
    back_mm = (
        (marked.centre.row - (rows - 1) / 2) * spacing[0] - shift_mm[0],
        (marked.centre.column - (columns - 1) / 2) * spacing[1] - shift_mm[1],
    )
    centre = PixelPoint(
        (cosine * back_mm[0] + sine * back_mm[1]) / pitch[0] + (side[0] - 1) / 2,
        (-sine * back_mm[0] + cosine * back_mm[1]) / pitch[1] + (side[1] - 1) / 2,
    )
    header = replace(
        marked.slice_.header,
        rows=side[0],
        columns=side[1],
        spacing_mm=(pitch[0], pitch[1]),
    )
    return Marked(Slice(header, _other_intensities(pixels, rng)), centre, marked.name)


def draw_sheet(
    path: Path, slices: Sequence[Slice], found: Sequence[AxialFound]
) -> None:
    """Draw every slice with its points, in rows of eight."""
    across = min(8, len(slices))
    down = math.ceil(len(slices) / across)
    sheet = Image.new("RGB", (across * TILE_PIXELS, down * TILE_PIXELS))
    for i, (slice_, at) in enumerate(zip(slices, found, strict=True)):
        tile = _tile(slice_, at, i + 1)
        sheet.paste(tile, (i % across * TILE_PIXELS, i // across * TILE_PIXELS))
    sheet.save(path)
    print(f"{len(slices)} slices drawn to {path}")


def files(folder: Path) -> list[Path]:
    """Return the images of a folder, in order."""
    return sorted(path for path in folder.rglob("*") if path.suffix in (".png", ".dcm"))


def read(path: Path) -> Iterator[Slice]:
    """Yield the slices of a DICOM file, or that of a PNG."""
    if path.suffix == ".png":
        pixels = np.asarray(Image.open(path).convert("L"), np.float32)
        yield bare_slice(pixels, (PNG_SPACING_MM, PNG_SPACING_MM), path.stem)
        return
    ds = pydicom.dcmread(path)
    for header in image_headers(ds):
        yield Slice(header, decode(ds, header.key.frame))


def region_centre(marks: AxialMarks) -> PixelPoint:
    """Return the point midway between sac centre and disc margin."""
    if marks.sac_centre is None or marks.disc_margin is None:
        return PixelPoint(math.nan, math.nan)
    return PixelPoint(
        (marks.sac_centre.row + marks.disc_margin.row) / 2,
        (marks.sac_centre.column + marks.disc_margin.column) / 2,
    )


def _line(name: str, what: str, away: NDArray[np.float64]) -> str:
    if not len(away):
        return f"| {name} | {what} | none | | | | |"
    return (
        f"| {name} ({len(away)}) | {what} | {np.median(away):.1f} "
        f"| {np.percentile(away, 95):.1f} | {away.max():.1f} "
        f"| {(away > 8).mean():.1%} | {(away > 12).mean():.1%} |"
    )


def away_mm(marked: Marked, found: PixelPoint) -> float:
    """Return how far a point lies from a slice's mark, in mm."""
    spacing = _spacing_mm(marked.slice_)
    return math.hypot(
        (found.row - marked.centre.row) * spacing[0],
        (found.column - marked.centre.column) * spacing[1],
    )


def _middle(slice_: Slice) -> PixelPoint:
    rows, columns = slice_.pixels.shape
    return PixelPoint((rows - 1) / 2, (columns - 1) / 2)


def _sampled(
    pixels: NDArray[np.float32],
    rows: NDArray[np.float64],
    columns: NDArray[np.float64],
) -> NDArray[np.float32]:
    """Return pixels between pixels, black outside."""
    padded = np.pad(pixels, 1)
    rows, columns = (
        np.clip(places + 1, 0, length - 1.001)
        for places, length in zip((rows, columns), padded.shape, strict=True)
    )
    top, left = rows.astype(int), columns.astype(int)
    down, right = rows - top, columns - left
    upper = padded[top, left] * (1 - right) + padded[top, left + 1] * right
    lower = padded[top + 1, left] * (1 - right) + padded[top + 1, left + 1] * right
    sampled: NDArray[np.float32] = (upper * (1 - down) + lower * down).astype(
        np.float32
    )
    return sampled


def _other_intensities(
    pixels: NDArray[np.float32], rng: np.random.Generator
) -> NDArray[np.float32]:
    low, high = np.percentile(pixels, (1, 99.5))
    scaled = np.clip((pixels - low) / max(high - low, 1e-6), 0, 1)
    bent = scaled ** rng.uniform(0.6, 1.6)
    slope = np.linspace(-1, 1, pixels.shape[0])[:, np.newaxis] * rng.uniform(-0.3, 0.3)
    noisy = bent * (1 + slope) + rng.normal(0, rng.uniform(0, 0.04), pixels.shape)
    changed: NDArray[np.float32] = (1000 * noisy).astype(np.float32)
    return changed


def _tile(slice_: Slice, found: AxialFound, number: int) -> Image.Image:
    low, high = np.percentile(slice_.pixels, (1, 99.5))
    grey = np.clip((slice_.pixels - low) / max(high - low, 1e-6), 0, 1) * 255
    rows, columns = slice_.pixels.shape
    tile = Image.fromarray(grey.astype(np.uint8)).convert("RGB")
    scale = TILE_PIXELS / max(rows, columns)
    tile = tile.resize((round(columns * scale), round(rows * scale)))
    draw = ImageDraw.Draw(tile)
    for name, colour in COLOURS.items():
        point = getattr(found.marks, name)
        if point is not None:
            x, y = (point.column + 0.5) * scale, (point.row + 0.5) * scale
            draw.line((x - 5, y, x + 5, y), colour)
            draw.line((x, y - 5, x, y + 5), colour)
    spread = "-" if found.spread_mm is None else f"{found.spread_mm:.1f}"
    draw.text((3, 2), f"{number}: {spread} mm, disc {found.through_disc:.2f}", "white")
    return tile


def _spacing_mm(slice_: Slice) -> tuple[float, float]:
    if slice_.header.spacing_mm is None:
        raise ValueError(f"{slice_.header.key.sop_instance_uid} has no pixel spacing")
    return slice_.header.spacing_mm


if __name__ == "__main__":
    main()
