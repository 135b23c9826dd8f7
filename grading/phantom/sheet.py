"""A contact sheet of phantom slices, for a person to look at."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from grading.grades import Finding
from grading.phantom.ranges import Domain
from grading.phantom.slices import PhantomSlice, Split, draw_slice
from grading.preprocess import Preprocessing, crop, default_region

SHEET = Preprocessing(region_size_mm=72.0, grid_pixels=176)
"""Somewhat more than a network sees, so that the surroundings can be judged."""
COLUMNS = 6
CAPTION_PIXELS = 14


def write_sheet(path: Path, slices: int, seed: int, domain: Domain) -> None:
    """Write a PNG of so many slices, each with its three grades above it."""
    tiles = list(_tiles(slices, seed, domain))
    side = SHEET.grid_pixels
    rows = -(-len(tiles) // COLUMNS)
    sheet = Image.new("L", (COLUMNS * side, rows * (side + CAPTION_PIXELS)))
    for i, tile in enumerate(tiles):
        sheet.paste(tile, (i % COLUMNS * side, i // COLUMNS * (side + CAPTION_PIXELS)))
    sheet.save(path, optimize=True)


def _tiles(slices: int, seed: int, domain: Domain) -> Iterator[Image.Image]:
    for index in range(slices):
        yield _tile(draw_slice((seed, int(Split.TEST), index), domain=domain))


def _tile(phantom: PhantomSlice) -> Image.Image:
    rows, columns = phantom.pixels.shape
    region = default_region(rows, columns, SHEET)
    grey = crop(phantom.pixels, phantom.spacing_mm, region, SHEET)[0].numpy() * 255
    tile = Image.new("L", (SHEET.grid_pixels, SHEET.grid_pixels + CAPTION_PIXELS))
    tile.paste(Image.fromarray(grey.astype(np.uint8)), (0, CAPTION_PIXELS))
    caption = "  ".join(f"{f} {phantom.truth.grade(f).value}" for f in Finding)
    ImageDraw.Draw(tile).text((4, 1), caption, fill=255)
    return tile
