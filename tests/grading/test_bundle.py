"""What a bundle keeps, and every way in which one is refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from grading.bundle import (
    LARGEST_FILE_BYTES,
    accept,
    load_bundle,
    save_bundle,
    shipped_bundle_path,
)
from grading.card import Card, check_place, read_card, write_card
from grading.errors import BundleError
from grading.grades import FIRST_LINES, Basis, Finding
from grading.network import Head, MultiTaskResNet
from grading.preprocess import Preprocessing
from grading.provenance import Provenance
from grading.trust import Result, SiteEvaluation, SiteFigure, Threshold

HEADS = tuple(Head(finding.value, 4) for finding in Finding)

Edit = Callable[[dict[str, Any]], object]


def a_card(basis: Basis = Basis.PHANTOM, heads: tuple[Head, ...] = HEADS) -> Card:
    return Card(
        name="tiny",
        version="1",
        basis=basis,
        backbone="resnet18",
        heads=heads,
        preprocessing=Preprocessing(region_size_mm=54.0, grid_pixels=64),
        calibration={head.name: 1.0 for head in heads},
        provenance=Provenance(
            command="nobody trained it",
            labelled_slices="none",
            hardware="none",
            software="none",
            seconds=0.0,
            samples_seen=0,
            recipe={"seed": 1, "minutes": None, "optimiser": "none"},
        ),
        results=(Result("measure", "none", 1, {"LDH": 0.1}, {}, {}),),
    )


@pytest.fixture(scope="module")
def network() -> MultiTaskResNet:
    torch.manual_seed(3)
    return MultiTaskResNet("resnet18", HEADS)


@pytest.fixture
def folder(tmp_path: Path, network: MultiTaskResNet) -> Path:
    save_bundle(tmp_path / "tiny", network.state_dict(), a_card())
    return tmp_path / "tiny"


def edit_card(folder: Path, edit: Edit) -> None:
    path = folder / "card.json"
    content = json.loads(path.read_text())
    edit(content)
    path.write_text(json.dumps(content))


def test_what_was_saved_comes_back_in_float32_within_half_precision(
    folder: Path, network: MultiTaskResNet
) -> None:
    bundle = load_bundle(folder)

    for name, original in network.state_dict().items():
        back = bundle.state_dict[name]
        if original.is_floating_point():
            assert back.dtype == torch.float32
        torch.testing.assert_close(back, original, rtol=1e-3, atol=1e-6)
    MultiTaskResNet("resnet18", HEADS).load_state_dict(dict(bundle.state_dict))


def test_a_bundle_identifies_itself_by_the_hash_of_its_weights(folder: Path) -> None:
    identity = load_bundle(folder).identity

    assert (identity.name, identity.version, identity.basis) == (
        "tiny",
        "1",
        Basis.PHANTOM,
    )
    assert len(identity.sha256) == 64


def test_other_weights_give_another_identity_and_the_same_weights_the_same(
    tmp_path: Path, network: MultiTaskResNet
) -> None:
    weights = network.state_dict()
    others = weights | {"heads.LDH.bias": weights["heads.LDH.bias"] + 1}

    first = save_bundle(tmp_path / "a", weights, a_card())
    again = save_bundle(tmp_path / "b", weights, a_card())
    other = save_bundle(tmp_path / "c", others, a_card())

    assert first.weights_sha256 == again.weights_sha256 != other.weights_sha256


def test_weights_lie_in_files_of_at_most_16_megabytes(folder: Path) -> None:
    sizes = [path.stat().st_size for path in folder.glob("*.safetensors")]

    assert len(sizes) > 1
    assert max(sizes) <= LARGEST_FILE_BYTES


def test_a_folder_that_is_no_bundle_is_never_replaced(
    tmp_path: Path, network: MultiTaskResNet
) -> None:
    (tmp_path / "notes.txt").write_text("of years")

    with pytest.raises(BundleError, match="is there and is no bundle"):
        save_bundle(tmp_path, network.state_dict(), a_card())

    assert (tmp_path / "notes.txt").read_text() == "of years"


def test_the_current_folder_is_never_replaced() -> None:
    with pytest.raises(BundleError, match="the current folder"):
        check_place(Path())


def test_a_card_comes_back_as_it_was_written(folder: Path) -> None:
    card = read_card(folder)

    files = {"files": card.files, "weights_sha256": card.weights_sha256}
    expected = replace(a_card(), disclaimer=FIRST_LINES[Basis.PHANTOM], **files)  # type: ignore[arg-type]
    assert card == expected


def test_the_disclaimer_is_the_cards_first_line(folder: Path) -> None:
    lines = (folder / "card.json").read_text().splitlines()

    assert FIRST_LINES[Basis.PHANTOM] in lines[1]


def test_saving_replaces_the_bundle_that_was_there(
    folder: Path, network: MultiTaskResNet
) -> None:
    (folder / "stray.txt").write_text("left over")

    save_bundle(folder, network.state_dict(), a_card(Basis.UNEVALUATED))

    assert load_bundle(folder).card.basis is Basis.UNEVALUATED
    assert not (folder / "stray.txt").exists()
    assert list(folder.parent.iterdir()) == [folder]


def test_a_changed_byte_is_found_and_the_file_named(folder: Path) -> None:
    path = sorted(folder.glob("*.safetensors"))[1]
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)

    with pytest.raises(BundleError, match=rf"{path.name} has SHA-256 .* expected"):
        load_bundle(folder)


def test_a_truncated_file_is_found_and_the_file_named(folder: Path) -> None:
    path = min(folder.glob("*.safetensors"))
    path.write_bytes(path.read_bytes()[:-100])

    with pytest.raises(BundleError, match=rf"{path.name} has \d+ bytes, expected"):
        load_bundle(folder)


def test_a_missing_file_is_named(folder: Path) -> None:
    path = min(folder.glob("*.safetensors"))
    path.unlink()

    with pytest.raises(BundleError, match=rf"{path.name} cannot be read"):
        load_bundle(folder)


def test_a_folder_without_a_card_is_named(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match=r"card\.json cannot be read"):
        load_bundle(tmp_path / "nowhere")


def remove(key: str) -> Edit:
    return lambda content: content.pop(key)


def put(key: str, value: object) -> Edit:
    return lambda content: content.update({key: value})


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (remove("backbone"), "key `backbone` is missing"),
        (put("colour", "blue"), "unknown key `colour`"),
        (put("name", 7), "`name` is 7, expected a string"),
        (
            put("basis", "validated"),
            "`basis` is 'validated', expected phantom or unevaluated or site",
        ),
        (put("backbone", "vgg16"), "`backbone` is 'vgg16'"),
        (put("format_version", 99), "`format_version` is 99, expected 1"),
        (put("heads", []), "`heads` is .*, expected LDH, LCCS, LNRC"),
        (put("heads", [{"name": "LDH", "grades": 4}]), "`heads` is"),
        (put("heads", "LDH"), "`heads` is 'LDH', expected a list"),
        (put("calibration", {"LDH": 0}), "`calibration` is .* positive"),
        (put("calibration", {"LDH": "warm"}), "`calibration.LDH` is 'warm'"),
        (
            put(
                "thresholds",
                {
                    "LDH": {
                        "probability": 3,
                        "wanted_accuracy": 0.9,
                        "share_referred": 0.1,
                        "slices": 1,
                    }
                },
            ),
            "`thresholds.LDH.probability` is 3",
        ),
        (put("files", []), "`files` is empty"),
        (put("weights_sha256", "0" * 64), "`weights_sha256` is 0000"),
        (put("provenance", 3), "provenance is not a JSON object"),
        (lambda c: c["preprocessing"].update(grid_pixels=0), "grid_pixels is 0"),
        (lambda c: c["preprocessing"].update(grid_pixels=1.5), "a whole number"),
        (lambda c: c["preprocessing"].update(extra=1), "unknown key `preprocessing"),
        (lambda c: c["preprocessing"].update(interpolation="cubic"), "'linear'"),
        (lambda c: c["files"][0].update(name="../x.safetensors"), r"`files\[0\].name`"),
        (lambda c: c["files"][0].update(sha256="0" * 64), "has SHA-256"),
        (lambda c: c["files"][0].update(size_bytes=60_000_000), "exceed"),
        (lambda c: c["provenance"]["recipe"].update(x=[1]), "a plain value"),
    ],
)
def test_an_unfit_card_says_which_key_and_what_it_must_be(
    folder: Path, edit: Edit, message: str
) -> None:
    edit_card(folder, edit)

    with pytest.raises(BundleError, match=message):
        load_bundle(folder)


def test_a_card_that_is_not_json_is_refused(folder: Path) -> None:
    (folder / "card.json").write_text("{")

    with pytest.raises(BundleError, match="is not JSON"):
        load_bundle(folder)


def test_weights_of_another_network_are_refused(
    tmp_path: Path, network: MultiTaskResNet
) -> None:
    weights = network.state_dict()
    del weights["heads.LDH.bias"]
    save_bundle(tmp_path / "bad", weights, a_card())

    with pytest.raises(BundleError, match=r"weight heads\.LDH\.bias is missing"):
        load_bundle(tmp_path / "bad")


def test_a_weight_of_another_shape_is_refused(
    tmp_path: Path, network: MultiTaskResNet
) -> None:
    weights = network.state_dict() | {"heads.LDH.bias": torch.zeros(5)}
    save_bundle(tmp_path / "bad", weights, a_card())

    with pytest.raises(BundleError, match=r"heads\.LDH\.bias has shape \(5,\)"):
        load_bundle(tmp_path / "bad")


def test_a_weight_too_large_for_half_precision_is_refused(
    tmp_path: Path, network: MultiTaskResNet
) -> None:
    weights = network.state_dict() | {"heads.LDH.bias": torch.full((4,), 1e6)}

    with pytest.raises(BundleError, match="does not fit into half precision"):
        save_bundle(tmp_path / "bad", weights, a_card())


def test_a_bundle_larger_than_all_that_is_allowed_is_not_saved(tmp_path: Path) -> None:
    weights = {f"weight{i}": torch.zeros(7_000_000) for i in range(4)}

    with pytest.raises(BundleError, match="at most 16000000 each and 50000000 in all"):
        save_bundle(tmp_path / "huge", weights, a_card())
    assert not (tmp_path / "huge").exists()


def test_a_phantoms_bundle_is_used_only_where_that_was_accepted(folder: Path) -> None:
    bundle = load_bundle(folder)

    accept(bundle, accept_phantom=True)
    with pytest.raises(BundleError, match=r"\[model\] accept_phantom_bundle = true"):
        accept(bundle, accept_phantom=False)


def test_a_bundle_that_no_site_has_evaluated_is_no_better_off(
    tmp_path: Path, network: MultiTaskResNet
) -> None:
    save_bundle(tmp_path / "new", network.state_dict(), a_card(Basis.UNEVALUATED))

    with pytest.raises(BundleError, match=r"nobody knows .*`lumbar-grading attest`"):
        accept(load_bundle(tmp_path / "new"), accept_phantom=False)


def attested(card: Card) -> Card:
    """Return the card as ``attest`` would leave it."""
    evaluation = SiteEvaluation(
        person="A. Radiologist",
        date="2026-11-24",
        patients="nobody's: this is a test",
        weights_sha256=card.weights_sha256,
        calibration_sha256=card.calibration_sha256,
        slices=3,
        figures={"LDH": {"accuracy": SiteFigure(0.8, 0.7, 0.9)}},
    )
    return replace(
        card,
        basis=Basis.SITE,
        evaluation=evaluation,
        disclaimer=FIRST_LINES[Basis.SITE],
    )


def test_a_sites_own_bundle_needs_no_acceptance(folder: Path) -> None:
    card = attested(read_card(folder))
    write_card(folder, card)

    bundle = load_bundle(folder)

    accept(bundle, accept_phantom=False)
    assert bundle.card == card


@pytest.mark.parametrize(
    "change",
    [
        lambda card: replace(card, evaluation=None),
        lambda card: replace(card, weights_sha256="0" * 64),
        lambda card: replace(card, calibration={"LDH": 2.0}),
    ],
    ids=["no evaluation", "other weights", "other temperatures"],
)
def test_an_evaluation_speaks_for_its_own_weights_and_temperatures_only(
    folder: Path, change: Callable[[Card], Card]
) -> None:
    write_card(folder, change(attested(read_card(folder))))

    with pytest.raises(BundleError, match=r"`evaluation` is .* attest"):
        load_bundle(folder)


def test_thresholds_come_back_as_they_were_written(folder: Path) -> None:
    thresholds = {"LNRC": Threshold(0.6, 0.9, 0.25, slices=120)}

    write_card(folder, replace(read_card(folder), thresholds=thresholds))

    assert read_card(folder).thresholds == thresholds


def test_a_card_from_before_thresholds_asks_for_no_reader(folder: Path) -> None:
    edit_card(folder, remove("thresholds"))
    edit_card(folder, remove("evaluation"))

    card = load_bundle(folder).card

    assert card.thresholds == {}
    assert card.evaluation is None


def test_a_result_is_added_without_touching_the_weights(folder: Path) -> None:
    card = read_card(folder)

    write_card(folder, replace(card, results=()))

    assert load_bundle(folder).card.results == ()


def test_results_of_other_weights_do_not_stay_on_a_card(
    folder: Path, network: MultiTaskResNet
) -> None:
    bundle = load_bundle(folder)
    result = Result("measure", "none", 1, {"LDH": 0.1}, {}, {})
    bound = replace(result, weights_sha256=bundle.card.weights_sha256)
    card = replace(bundle.card, results=(result, bound))
    others = dict(bundle.state_dict) | {"heads.LDH.bias": torch.ones(4)}

    same = save_bundle(folder, bundle.state_dict, card)
    other = save_bundle(folder, others, card)

    assert same.results == (result, bound)
    assert other.results == ()


def test_a_result_of_before_weights_were_named_is_still_read(folder: Path) -> None:
    card = read_card(folder)
    result = Result("measure", "none", 1, {"LDH": 0.1}, {}, {})
    write_card(folder, replace(card, results=(result,)))

    edit_card(folder, lambda content: content["results"][0].pop("weights_sha256"))

    assert read_card(folder).results == (result,)


@pytest.mark.model
def test_the_shipped_bundle_is_sound_and_says_what_it_learned_from() -> None:
    bundle = load_bundle(shipped_bundle_path())

    assert bundle.card.basis is Basis.PHANTOM
    assert bundle.card.backbone == "resnet50"
    assert bundle.card.provenance.samples_seen > 10_000


@pytest.mark.model
def test_the_shipped_card_reports_a_macro_f1_of_at_least_60_percent() -> None:
    card = read_card(shipped_bundle_path())

    internal = [one for one in card.results if "--domain internal" in one.command]
    assert internal
    assert all(one.slices >= 1000 for one in internal)
    assert min(internal[0].macro_f1[finding] for finding in Finding) >= 0.60
