"""How a network is trained: the paper's recipe, and ours."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field

from grading.fields import Scalar
from grading.preprocess import Preprocessing
from grading.training.augmentation import BEST, PAPER, Augmentation


@dataclass(frozen=True, slots=True)
class Recipe:
    """How a network is trained; goes into the bundle's card.

    The paper trains with Adam for 100 epochs in batches of 16, at a constant
    1e-3 with a weight decay of 1e-4 (`paper_recipe`). The defaults here suit a few
    epochs: larger batches, a rate that rises and falls, and a decay that is decoupled
    and therefore larger. `best_recipe` adds what was worth it.
    """

    preprocessing: Preprocessing
    backbone: str = "resnet50"
    epochs: int = 12
    batch_slices: int = 32
    learning_rate: float = 1e-3
    """The largest of the schedule."""
    weight_decay: float = 0.02
    decoupled_decay: bool = True
    """AdamW rather than Adam."""
    steady_rate: bool = False
    """The learning rate neither rises nor falls."""
    balance: float = 0.0
    """How far rare grades are shown more often: 0 as they come, 1 all alike."""
    second_step: float = 0.0
    """Share of the training, its end, in which the heads alone learn, from rare and
    frequent grades alike, and the learning rate starts anew."""
    ordinal: float = 0.0
    """Weight of a loss that knows how far apart two grades are."""
    mixup: float = 0.0
    """Share of the batches whose slices are blended with others."""
    cutmix: float = 0.0
    """Share of the remaining batches with a square from another slice in each."""
    average_samples: float = 0.0
    """Samples over which the weights are averaged that are validated and kept."""
    augmentation: Augmentation = field(default_factory=Augmentation)
    shift_mm: float = 6.0
    """Largest shift of the region along each axis, on top of the phantom's own."""
    validation_batches: int = 200
    """Between two validations; fewer where an epoch has fewer."""
    seed: int = 1
    minutes: float | None = None
    """Ends the training, its learning-rate schedule included, before the epochs."""


def paper_recipe(preprocessing: Preprocessing) -> Recipe:
    """Return the training of Su et al. 2022, Materials and methods."""
    return Recipe(
        preprocessing,
        epochs=100,
        batch_slices=16,
        learning_rate=1e-3,
        weight_decay=1e-4,
        decoupled_decay=False,
        steady_rate=True,
        augmentation=PAPER,
    )


def best_recipe(preprocessing: Preprocessing) -> Recipe:
    """Return ours: loss, averaging, shift and disturbances are the shipped bundle's.

    What they were worth stands in ``docs/training.md``.
    """
    return Recipe(
        preprocessing,
        ordinal=1.0,
        average_samples=6000,
        shift_mm=2.5,
        augmentation=BEST,
    )


def described(recipe: Recipe) -> dict[str, Scalar]:
    """Return a recipe for a card; network and preprocessing stand there already."""
    fields = asdict(recipe)
    del fields["preprocessing"], fields["backbone"]
    augmentation = fields.pop("augmentation")
    return fields | {
        "loss": _loss(recipe),
        "augmentation": ", ".join(f"{k} {v}" for k, v in augmentation.items()),
    }


def _loss(recipe: Recipe) -> str:
    ordinal = f" + {recipe.ordinal:g} squared earth mover's distance"
    return f"cross-entropy{ordinal if recipe.ordinal else ''}, summed over the heads"
