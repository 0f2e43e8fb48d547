"""Making keys and signing with them, from the command line and when a run publishes."""

import dataclasses
from pathlib import Path

import pytest

from device.errors import BundleError, ConfigError
from device.verdict.bundle import REQUIRED, load_bundle, read_folder, write_bundle
from device.verdict.files import SIGNATURE
from device.verdict.signature import parse_key
from training import cli
from training.keys import PRIVATE_FILE, make_keys, read_signer, signer_of
from training.publish import write_verified
from training.recipe import Data, Publish, Recipe


def test_the_commands_make_a_key_and_sign_with_it(
    tmp_path: Path, models: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["keygen", str(tmp_path / "keys"), "--comment", "Anna's desk"]) == 0
    public = parse_key(capsys.readouterr().out.splitlines()[-1], where="printed")
    assert public.comment == "Anna's desk"
    write_bundle(tmp_path / "models/demo", read_folder(models / "demo", REQUIRED))
    (tmp_path / "models/current").write_text("demo\n")
    assert cli.main(["sign", str(tmp_path / "models"), "--key", str(tmp_path / "keys" / PRIVATE_FILE)]) == 0
    assert f"signed by {public.id}" in capsys.readouterr().out
    assert load_bundle(tmp_path / "models", keys=(public,)).signed_by == public.id


def test_the_commands_keep_what_is_there_and_say_what_is_wrong(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["keygen", str(tmp_path)]) == 0
    before = (tmp_path / PRIVATE_FILE).read_bytes()
    assert before.split()[1].decode() not in capsys.readouterr().out
    assert cli.main(["keygen", str(tmp_path)]) == 73
    assert (tmp_path / PRIVATE_FILE).read_bytes() == before
    assert cli.main(["sign", str(tmp_path), "--key", str(tmp_path / PRIVATE_FILE)]) == 65
    assert cli.main(["sign", str(tmp_path), "--key", str(tmp_path / "absent")]) == 78
    assert "keygen" in capsys.readouterr().err


def test_a_published_bundle_is_signed_from_the_moment_it_is_there(tmp_path: Path, models: Path) -> None:
    make_keys(tmp_path / "keys")
    signer, files = read_signer(tmp_path / "keys" / PRIVATE_FILE), read_folder(models / "demo", REQUIRED)
    made = write_verified(tmp_path / "models/home", files, signer=signer)
    assert made.signed_by == signer.public.id
    assert [each.name for each in (tmp_path / "models").iterdir()] == ["home"]
    # A refresh that does not pass leaves the signed one in place.
    before = (tmp_path / "models/home" / SIGNATURE).read_bytes()
    with pytest.raises(BundleError, match="own verification"):
        write_verified(tmp_path / "models/home", {**files, "head.npz": b""}, signer=signer)
    assert (tmp_path / "models/home" / SIGNATURE).read_bytes() == before


def test_a_key_that_is_wrong_is_found_before_anything_is_learnt(tmp_path: Path) -> None:
    from training.run import run

    recipe = Recipe(data=Data(folder=str(tmp_path)), publish=Publish(name="home", key=str(tmp_path / "absent")))
    with pytest.raises(ConfigError, match="private key cannot be read"):
        run(recipe, runs=tmp_path / "runs", progress=lambda items, _label, _total: items, say=print)  # type: ignore[arg-type]
    assert signer_of("") is None


def test_who_signs_does_not_change_what_a_recipe_is() -> None:
    recipe = Recipe(data=Data(folder="r"), publish=Publish(name="home"))
    signed = dataclasses.replace(recipe, publish=dataclasses.replace(recipe.publish, key="~/keys/voicelatch.key"))
    assert signed.sha256() == recipe.sha256()
    renamed = dataclasses.replace(recipe, publish=Publish(name="other"))
    assert renamed.sha256() != recipe.sha256()
