"""What the command takes, and what it refuses with the next step."""

from pathlib import Path

import pytest

from device.errors import BundleError, ConfigError, DataError
from device.sound.logmel import LogMel
from device.verdict.bundle import load_bundle
from device.verdict.interpreter import Interpreter
from tests.conftest import ROOT
from training.cli import build_parser, main
from training.explain.command import names_of
from training.explain.keras_side import Weights, agreement, load_network

DEMO = ROOT / "models" / "demo"
ANNA = ROOT / "device" / "simulated" / "evening" / "anna.wav"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["network", "--number", "2"], "only for a clip"),
        (["network", "--recordings", "x"], "only for a clip"),
        (["network", "visit.wav"], "name a recording with --clip"),
        (["clip"], "name a recording"),
        ([str(ANNA), "--clip", str(ANNA)], "only for a network"),
        ([str(ANNA), "--masks", "5"], "10 or more"),
        ([str(ANNA), "--network", "lean"], "no --weights"),
        ([str(ANNA), "--number", "99"], "no such clip"),
        ([str(ANNA), "--resident", "Nobody"], "allowed:  Anna, Bruno"),
        (["clip", str(ANNA), "--bundle", "nowhere"], "there is no bundle here"),
        (["nothing.wav", "--bundle", str(DEMO)], "no such file"),
    ],
)
def test_what_makes_no_sense_is_refused_with_what_to_do(
    words: list[str], said: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    bundle = [] if "--bundle" in words else ["--bundle", str(DEMO)]
    assert main(["explain", *words, *bundle, "--out", str(tmp_path / "out")]) in (65, 78)
    assert said in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_help_has_an_example_of_both(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        build_parser().parse_args(["explain", "--help"])
    text = " ".join(capsys.readouterr().out.split())
    assert "python -m training explain visit.wav" in text
    assert "python -m training explain network" in text


def test_pages_of_recordings_of_the_same_name_are_told_apart_by_their_folder() -> None:
    assert names_of([Path("a/x.wav"), Path("b/x.wav"), Path("b/y.wav")]) == ["a-x", "b-x", "y"]
    with pytest.raises(ConfigError, match="the same page"):
        names_of([Path("a/b/x.wav"), Path("c/b/x.flac")])


def test_weights_of_another_network_explain_nothing(tmp_path: Path) -> None:
    pytest.importorskip("tensorflow")
    from training.networks.backbone import build

    bundle = load_bundle(DEMO)
    size = bundle.output.shape[0]
    path = tmp_path / "other.weights.h5"
    build("lean", bundle.frontend.shape, embedding_size=size, width=4).save_weights(path)
    given = {"shape": bundle.frontend.shape, "embedding_size": size}
    with pytest.raises(ConfigError, match="add --network and --width"):
        load_network(Weights(path), {}, **given)  # type: ignore[arg-type]
    with pytest.raises(BundleError, match="no weights of lean, width 8"):
        load_network(Weights(path, "lean", 8), {}, **given)  # type: ignore[arg-type]
    with pytest.raises(BundleError, match=r"no weights of lean"):
        load_network(Weights(tmp_path / "none.weights.h5", "lean", 4), {}, **given)  # type: ignore[arg-type]
    network = load_network(Weights(path), {"network": {"network": "lean", "width": 4}}, **given)  # type: ignore[arg-type]
    features = LogMel(bundle.frontend)(bundle.golden.clips[0])
    with pytest.raises(DataError, match="not those of the bundle's network"):
        agreement(network, features, Interpreter(bundle.model).embed(features))
