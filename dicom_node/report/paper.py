"""A4 pages to write on: text of any script, lines that break, boxes and images.

Distances are points (1/72 inch) from the top left corner, as on the summary picture;
the PDF library counts from the bottom.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from io import BytesIO

from PIL import Image, ImageDraw
from reportlab import rl_config
from reportlab.lib.pagesizes import A4
from reportlab.lib.utils import ImageReader
from reportlab.pdfgen.canvas import Canvas

from dicom_node.report.typeface import (
    BOLD,
    RASTER_SIZE,
    WESTERN,
    Run,
    raster_font,
    registered,
    run_width,
    runs,
    width,
)

WIDTH, HEIGHT = A4
MARGIN = 42.0
Colour = tuple[int, int, int]
BLACK: Colour = (0, 0, 0)
GREY: Colour = (90, 90, 90)
_WRAP_AFTER = "\u3001\u3002\uff0c\uff1b\uff1a"

Stroke = Callable[[Canvas], None]

# Images as they are, not as text: a fifth smaller, and a second faster.
rl_config.useA85 = 0


@dataclass
class Paper:
    """Pages in the making; what is written is drawn once their number is known."""

    bottom: float
    """Where the footer begins."""
    pages: list[list[Stroke]] = field(default_factory=lambda: [[]])
    top: float = MARGIN
    """Where a page's content begins, below the header."""
    y: float = MARGIN

    def room(self, height: float) -> None:
        """Go on to a new page where ``height`` does not fit any more."""
        if self.y + height > self.bottom:
            self.new_page()

    def new_page(self) -> None:
        """Go on at the top of a new page."""
        self.pages.append([])
        self.y = self.top

    def put(self, stroke: Stroke) -> None:
        """Draw on the current page."""
        self.pages[-1].append(stroke)

    def line(
        self,
        text: str,
        size: float,
        *,
        x: float = MARGIN,
        bold: bool = False,
        colour: Colour = BLACK,
    ) -> None:
        """Write one line at the current height and go below it."""
        height = 1.35 * size
        self.room(height)
        self.put(
            partial(
                write, x=x, y=self.y, text=text, size=size, bold=bold, colour=colour
            )
        )
        self.y += height

    def paragraph(self, text: str, size: float, *, colour: Colour = BLACK) -> None:
        """Write a text in as many lines as it needs, and leave a gap below it."""
        for piece in broken(text, size, WIDTH - 2 * MARGIN):
            self.line(piece, size, colour=colour)
        self.y += 0.4 * size

    def rendered(
        self, title: str, decorate: Callable[[Canvas, int, int], None]
    ) -> bytes:
        """Return the PDF; ``decorate`` gets each page's number and their count.

        Without the time of the clock, so that it is the same whenever it is made.
        """
        buffer = BytesIO()
        canvas = Canvas(buffer, pagesize=A4, invariant=1, pageCompression=1)
        canvas.setTitle(title)
        for number, strokes in enumerate(self.pages, start=1):
            decorate(canvas, number, len(self.pages))
            for stroke in strokes:
                stroke(canvas)
            canvas.showPage()
        canvas.save()
        return buffer.getvalue()


def write(
    canvas: Canvas,
    x: float,
    y: float,
    text: str,
    size: float,
    *,
    bold: bool = False,
    colour: Colour = BLACK,
) -> None:
    """Write one line whose top left corner is at ``x``, ``y``."""
    canvas.setFillColorRGB(*(share / 255 for share in colour))
    for run in runs(text):
        if run.face.shaped:
            _draw_shaped(canvas, x, y, run, size)
        else:
            face = (
                BOLD
                if bold and run.face is WESTERN and run.text.isascii()
                else run.face
            )
            registered(face)
            canvas.setFont(face.name, size)
            canvas.drawString(x, HEIGHT - y - size, run.text)
        x += run_width(run, size)


def box(
    canvas: Canvas, left: float, top: float, across: float, down: float, colour: Colour
) -> None:
    """Fill a rectangle."""
    canvas.setFillColorRGB(*(share / 255 for share in colour))
    canvas.rect(left, HEIGHT - top - down, across, down, stroke=0, fill=1)


def rule(canvas: Canvas, y: float, *, x: float = MARGIN) -> None:
    """Draw a thin line across the page."""
    canvas.setStrokeColorRGB(0.7, 0.7, 0.7)
    canvas.setLineWidth(0.5)
    canvas.line(x, HEIGHT - y, WIDTH - MARGIN, HEIGHT - y)


def draw_image(
    canvas: Canvas, image: Image.Image, left: float, top: float, across: float
) -> None:
    """Draw an image, ``across`` points wide, in its own proportions."""
    down = across * image.height / image.width
    canvas.drawImage(
        ImageReader(image), left, HEIGHT - top - down, width=across, height=down
    )


def broken(text: str, size: float, across: float) -> list[str]:
    """Break a text so that every line fits ``across`` points.

    Between words, and between any two characters of a word that is too long, as
    Chinese and Korean sentences are.
    """
    lines, used = [""], 0.0
    for word in _words(text):
        for part in _parts(word, size, across):
            needed = width(part.rstrip(), size)
            if lines[-1] and used + needed > across:
                lines.append("")
                used = 0.0
            lines[-1] += part
            used += width(part, size)
    return [line.strip() for line in lines]


def _words(text: str) -> list[str]:
    """Return the words, each with the blank or the full-width stop behind it."""
    words = [""]
    for character in text:
        words[-1] += character
        if character == " " or character in _WRAP_AFTER:
            words.append("")
    return words


def _parts(word: str, size: float, across: float) -> Sequence[str]:
    return [word] if width(word.rstrip(), size) <= across else word


def _draw_shaped(canvas: Canvas, x: float, y: float, run: Run, size: float) -> None:
    """Draw a run as an image: black on white, where letters change or go leftwards."""
    font = raster_font(run.face)
    across = max(1, round(font.getlength(run.text)))
    ascent, descent = font.getmetrics()
    image = Image.new("L", (across, ascent + descent), 255)
    ImageDraw.Draw(image).text((0, 0), run.text, 0, font)
    points = size / RASTER_SIZE
    draw_image(canvas, image, x, y + size - ascent * points, across * points)
