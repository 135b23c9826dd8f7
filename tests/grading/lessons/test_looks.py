"""A look may be turned, moved and disturbed; its points go with it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from grading.grades import AxialMarks, PixelPoint
from grading.landmarks.network import AXIAL, SAGITTAL
from grading.training.fit_landmarks import STILL, landmark_loss, targets
from grading.training.lessons.lesson import AxialLesson, SagittalLesson
from grading.training.looks import (
    Disturbance,
    Looks,
    disturbed,
    keep_axial,
    keep_sagittal,
)

MOVED = replace(STILL, rotation_deg=20.0, scale=(0.8, 1.25), shift_mm=30.0, flip=True)


def lesson(row: float = 150.0, column: float = 190.0) -> AxialLesson:
    """Return a slice with a bright spot on the disc margin, and facets beside it."""
    rows, columns = np.ogrid[:320, :320]
    pixels = 900 * np.exp(-((rows - row) ** 2 + (columns - column) ** 2) / 800)
    margin = PixelPoint(row, column)
    right, left = PixelPoint(row + 20, column - 20), PixelPoint(row + 20, column + 20)
    marks = AxialMarks(margin, PixelPoint(row + 12, column), right, left)
    return AxialLesson(pixels.astype(np.uint16), (0.5, 0.5), marks, None)


@pytest.mark.parametrize("seed", range(6))
def test_points_stay_on_what_they_mark(seed: int) -> None:
    kept = [keep_axial(lesson(), AXIAL)]

    looks = disturbed(kept, AXIAL, MOVED, torch.Generator().manual_seed(seed))

    rows, columns = torch.nonzero(looks.pixels[0, 0] > 0.98).float().mean(dim=0)
    assert looks.points[0, 0, 0].tolist() == pytest.approx(
        [float(columns), float(rows)], abs=1.0
    )


@pytest.mark.parametrize("seed", range(6))
def test_the_right_facet_is_always_on_the_left_of_the_look(seed: int) -> None:
    kept = [keep_axial(lesson(), AXIAL)]

    looks = disturbed(kept, AXIAL, MOVED, torch.Generator().manual_seed(seed))

    right, left = looks.points[0, 2, 0], looks.points[0, 3, 0]
    assert right[0] < left[0]


def test_disturbed_looks_stay_between_0_and_1_and_differ() -> None:
    kept = [keep_axial(lesson(), AXIAL)] * 8

    looks = disturbed(kept, AXIAL, Disturbance(), torch.Generator().manual_seed(1))

    assert looks.pixels.min() >= 0
    assert looks.pixels.max() <= 1
    assert not torch.equal(looks.pixels[0], looks.pixels[1])
    assert bool(looks.pixels.isfinite().all())


def test_images_with_more_and_fewer_discs_make_one_batch() -> None:
    pixels = np.ones((400, 400), np.uint16)
    few, many = (
        SagittalLesson(
            pixels,
            (0.7, 0.7),
            tuple(PixelPoint(60.0 + 40 * i, 200.0) for i in range(count)),
            PixelPoint(360.0, 200.0),
        )
        for count in (5, 7)
    )

    looks = disturbed(
        [keep_sagittal(one, SAGITTAL) for one in (few, many)],
        SAGITTAL,
        STILL,
        torch.Generator().manual_seed(0),
    )

    assert looks.points.shape == (2, 2, 7, 2)
    assert looks.points[:, 0].isfinite().all(dim=-1).sum(dim=-1).tolist() == [5, 7]


def test_a_perfect_answer_costs_next_to_nothing_and_a_wrong_one_much() -> None:
    points = torch.full((1, 2, 3, 2), float("nan"))
    points[0, 0] = torch.tensor([[40.0, 30.0], [42.0, 60.0], [44.0, 90.0]])
    points[0, 1, 0] = torch.tensor([50.0, 110.0])
    looks = Looks(torch.zeros(1), points, torch.zeros(1, 0))
    hills = targets(points, SAGITTAL).clamp(1e-6, 1 - 1e-6)
    right = torch.stack([torch.logit(hills[:, 0]), torch.log(hills[:, 1])], dim=1)

    wrong = right.flip(-1)

    flags = torch.zeros(1, 0)
    assert landmark_loss(right, flags, looks, SAGITTAL) < 0.2
    assert landmark_loss(wrong, flags, looks, SAGITTAL) > 2.0


def test_what_nobody_knows_teaches_nothing() -> None:
    points = torch.full((1, 4, 1, 2), float("nan"))
    looks = Looks(torch.zeros(1), points, torch.full((1, 1), -1.0))
    heatmaps = torch.randn(1, 4, 64, 64, requires_grad=True)

    loss = landmark_loss(heatmaps, torch.zeros(1, 1), looks, AXIAL)

    [gradient] = torch.autograd.grad(loss, heatmaps)
    assert float(gradient.abs().max()) == 0.0
