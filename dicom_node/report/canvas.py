"""A surface to draw the summary picture on, its colours and its text.

Dark, because the picture hangs beside images in a dark room.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Self

from PIL import Image, ImageDraw, ImageFont

from grading.grades import Grade

SIDE_PIXELS = 1024

Colour = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle in pixels of the picture."""

    left: float
    top: float
    right: float
    bottom: float

    @property
    def width(self) -> float:
        return self.right - self.left

    @property
    def height(self) -> float:
        return self.bottom - self.top

    @property
    def middle(self) -> tuple[float, float]:
        return ((self.left + self.right) / 2, (self.top + self.bottom) / 2)

    def moved(self, across: float, down: float) -> Box:
        """Return the same box elsewhere."""
        return Box(
            self.left + across, self.top + down, self.right + across, self.bottom + down
        )

    @property
    def corners(self) -> tuple[float, float, float, float]:
        return (self.left, self.top, self.right, self.bottom)


BACKGROUND: Colour = (14, 17, 22)
PANEL: Colour = (27, 32, 40)
LINE: Colour = (62, 71, 84)
TEXT: Colour = (236, 239, 243)
MUTED: Colour = (163, 173, 186)
WARNING: Colour = (255, 200, 87)
REGION: Colour = (120, 220, 232)
MARK: Colour = (255, 240, 150)
"""What was found on an image: the intra-facet line, the disc centres."""
ON_COLOUR: Colour = (12, 14, 18)

# After Okabe and Ito, whose colours differ for every kind of colour vision, and
# apart in brightness as well, for a greyscale display; grey for the grade that asks
# for no attention.
GRADE_COLOURS: Mapping[Grade, Colour] = {
    Grade.GRADE_0: (90, 100, 114),
    Grade.GRADE_1: (60, 150, 215),
    Grade.GRADE_2: (250, 200, 70),
    Grade.GRADE_3: (255, 125, 65),
}
ON_COLOURS: Mapping[Grade, Colour] = {
    grade: TEXT if grade is Grade.GRADE_0 else ON_COLOUR for grade in Grade
}
"""What is written on a grade's colour."""


@dataclass(frozen=True, slots=True)
class Canvas:
    """A Pillow image with the few strokes the picture is made of."""

    image: Image.Image
    draw: ImageDraw.ImageDraw
    fonts: dict[int, ImageFont.FreeTypeFont] = field(default_factory=dict)
    """Fonts already loaded, by size in pixels."""

    @classmethod
    def blank(cls) -> Self:
        image = Image.new("RGB", (SIDE_PIXELS, SIDE_PIXELS), BACKGROUND)
        return cls(image, ImageDraw.Draw(image))

    def font(self, size: int) -> ImageFont.FreeTypeFont:
        """Return Pillow's own font, so that no machine has to have one.

        Raises
        ------
        RuntimeError
            Pillow was built without FreeType.
        """
        if size not in self.fonts:
            font = ImageFont.load_default(size=size)
            if not isinstance(font, ImageFont.FreeTypeFont):
                raise RuntimeError(
                    "this Pillow was built without FreeType and cannot scale text; "
                    "install Pillow's own wheel"
                )
            self.fonts[size] = font
        return self.fonts[size]

    def text(
        self,
        place: tuple[float, float],
        text: str,
        size: int,
        colour: Colour = TEXT,
        *,
        anchor: str = "la",
        weight: float = 0.0,
    ) -> None:
        """Draw one line; ``weight`` in pixels thickens it."""
        self.draw.text(
            place,
            text,
            colour,
            self.font(size),
            anchor=anchor,
            stroke_width=weight,
            stroke_fill=colour,
        )

    def width(self, text: str, size: int) -> float:
        """Return how many pixels wide ``text`` is."""
        return self.font(size).getlength(text)

    def lines(self, text: str, size: int, width: float) -> list[str]:
        """Break ``text`` between words so that every line fits ``width`` pixels."""
        lines = [""]
        for word in text.split():
            longer = f"{lines[-1]} {word}".strip()
            if lines[-1] and self.width(longer, size) > width:
                lines.append(word)
            else:
                lines[-1] = longer
        return lines

    def dashes(self, box: Box, colour: Colour) -> None:
        """Frame ``box`` with dashes of 5 pixels."""
        for x in range(int(box.left), int(box.right), 10):
            end = min(x + 5, box.right)
            self.draw.line((x, box.top, end, box.top), colour)
            self.draw.line((x, box.bottom, end, box.bottom), colour)
        for y in range(int(box.top), int(box.bottom), 10):
            end = min(y + 5, box.bottom)
            self.draw.line((box.left, y, box.left, end), colour)
            self.draw.line((box.right, y, box.right, end), colour)
