"""The network's shape, and its loss where grades are missing."""

from __future__ import annotations

import pytest
import torch
import torchvision

from grading.network import (
    MISSING_GRADE,
    Head,
    MultiTaskResNet,
    multi_task_loss,
)

THREE = (Head("LDH", 4), Head("LCCS", 4), Head("LNRC", 4))


def test_each_head_answers_with_four_logits_per_slice() -> None:
    network = MultiTaskResNet("resnet18", THREE).eval()

    logits = network(torch.rand(3, 1, 64, 64))

    assert {name: tuple(one.shape) for name, one in logits.items()} == {
        "LDH": (3, 4),
        "LCCS": (3, 4),
        "LNRC": (3, 4),
    }


def test_the_papers_feature_has_2048_dimensions() -> None:
    network = MultiTaskResNet("resnet50", THREE)

    assert [head.in_features for head in network.heads.values()] == [2048] * 3


def test_a_bundle_may_add_heads() -> None:
    network = MultiTaskResNet("resnet18", (*THREE, Head("modic", 3))).eval()

    logits = network(torch.rand(1, 1, 64, 64))

    assert logits["modic"].shape == (1, 3)


def test_torchvision_weights_load_by_name_and_give_the_same_feature() -> None:
    torchvision_resnet = torchvision.models.resnet18(weights=None).eval()
    weights = {
        name: one
        for name, one in torchvision_resnet.state_dict().items()
        if not name.startswith("fc.")
    }
    network = MultiTaskResNet("resnet18", THREE).eval()
    network.backbone.load_state_dict(weights)
    torchvision_resnet.fc = torch.nn.Identity()
    slices = torch.rand(2, 1, 64, 64)

    feature = network.backbone(slices.expand(-1, 3, -1, -1))

    assert torch.equal(feature, torchvision_resnet(slices.repeat(1, 3, 1, 1)))


@pytest.mark.parametrize(
    ("backbone", "heads", "message"),
    [
        ("vgg16", THREE, "backbone 'vgg16'"),
        ("resnet18", (), "names of their own"),
        ("resnet18", (Head("LDH", 4), Head("LDH", 4)), "names of their own"),
    ],
)
def test_a_network_that_cannot_be_built_says_why(
    backbone: str, heads: tuple[Head, ...], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        MultiTaskResNet(backbone, heads)


def test_the_loss_is_the_sum_of_the_heads_mean_cross_entropies() -> None:
    generator = torch.Generator().manual_seed(1)
    logits = {name: torch.randn(5, 4, generator=generator) for name in "ab"}
    targets = {name: torch.randint(0, 4, (5,), generator=generator) for name in "ab"}

    loss = multi_task_loss(logits, targets)

    expected = sum(
        -torch.log_softmax(logits[name], 1)[i, targets[name][i]].item() / 5
        for name in "ab"
        for i in range(5)
    )
    assert loss.item() == pytest.approx(expected, rel=1e-5)


def test_a_missing_grade_takes_no_part_in_the_loss() -> None:
    logits = {"a": torch.tensor([[2.0, 0, 0, 0], [0, 9.0, 0, 0]])}

    loss = multi_task_loss(logits, {"a": torch.tensor([0, MISSING_GRADE])})

    alone = multi_task_loss({"a": logits["a"][:1]}, {"a": torch.tensor([0])})
    assert loss.item() == pytest.approx(alone.item())


def test_a_head_without_any_grade_leaves_the_other_heads_gradient_alone() -> None:
    logits = {name: torch.zeros(2, 4, requires_grad=True) for name in ("a", "b")}
    nobody = torch.full((2,), MISSING_GRADE)

    loss = multi_task_loss(logits, {"a": torch.tensor([1, 2]), "b": nobody})

    of_a, of_b = torch.autograd.grad(loss, [logits["a"], logits["b"]])
    assert of_a.isfinite().all()
    assert of_a.abs().sum() > 0
    assert (of_b == 0).all()
