"""Signed bundles on their way to a door that lists a key, and back again when they do not work."""

import json
import shlex
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from device.service.trust import recall
from device.service.verified import bundle_digest
from device.verdict.bundle import REQUIRED, load_bundle, read_folder, write_bundle
from device.verdict.files import SIGNATURE
from tests.benches.place import Place
from tests.benches.ssh_server import SshServer, ssh_server, why_not
from training.deploy.deploy import Result, UnhealthyError, deploy, deploy_all
from training.deploy.door import Door
from training.deploy.parcel import packed
from training.keys import PRIVATE_FILE, Signer, make_keys, read_signer, sign_bundle

pytestmark = pytest.mark.skipif(why_not() is not None, reason=str(why_not()))
POLL_SECONDS = 0.05


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SshServer]:
    with ssh_server(tmp_path_factory.mktemp("sshd")) as running:
        yield running


@pytest.fixture
def signer(tmp_path: Path) -> Signer:
    make_keys(tmp_path / "keys")
    return read_signer(tmp_path / "keys" / PRIVATE_FILE)


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "state"
    folder.mkdir()
    monkeypatch.setenv("STATE_DIRECTORY", str(folder))
    return folder


@pytest.fixture
def place(tmp_path: Path, models: Path, server: SshServer, signer: Signer, state: Path) -> Iterator[Place]:
    made = Place(tmp_path / "door", models, server)
    sign_bundle(made.models / "demo", signer)
    made.config.write_text(made.config.read_text() + f'trusted_keys = ["{signer.public.line()}"]\n')
    made.start()
    yield made
    made.stop()


def published(folder: Path, models: Path, *, sequence: int, signer: Signer | None) -> Path:
    files = read_folder(models / "demo", REQUIRED)
    manifest = json.loads(files["manifest.json"]) | {"name": "household", "sequence": sequence}
    write_bundle(folder, {**files, "manifest.json": json.dumps(manifest).encode()},
                 sign=signer.sign if signer is not None else None)  # fmt: skip
    return folder


def operated(place: Place, state: Path) -> Door:
    command = shlex.quote(str(place.deploy_script(state)))
    return place.door(config=str(place.config), privileged_command=command, health_seconds=30.0)


def test_a_bundle_that_is_signed_after_it_was_sent_is_sent_again_with_its_signature(
    place: Place, tmp_path: Path, models: Path, signer: Signer, state: Path
) -> None:
    folder = published(tmp_path / "household", models, sequence=10_000, signer=None)
    with packed(folder) as parcel:
        place.holds(parcel)
        unsigned = parcel.folder
    sign_bundle(folder, signer)
    with packed(folder) as parcel:
        assert parcel.folder != unsigned
        outcome = deploy(parcel, operated(place, state), poll_seconds=POLL_SECONDS)
    assert (outcome.result, place.current) == (Result.DEPLOYED, parcel.folder), outcome.text
    assert load_bundle(place.models / parcel.folder, keys=(signer.public,)).signed_by == signer.public.id
    assert (place.models / parcel.folder / SIGNATURE).read_bytes() == (folder / SIGNATURE).read_bytes()
    assert recall(state).highest.sequence == 10_000


def test_a_rollback_reaches_the_bundle_before_though_the_newer_one_was_accepted(
    place: Place, tmp_path: Path, models: Path, signer: Signer, state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, door = published(tmp_path / "household", models, sequence=10_000, signer=signer), operated(place, state)
    from training.deploy import deploy as sequence

    wait, seen = sequence.wait_for, []

    def first_unhealthy(digest: str, *rest: object, **more: float) -> None:
        wait(digest, *rest, **more)  # type: ignore[arg-type]
        seen.append(place.serves())
        if len(seen) == 1:
            raise UnhealthyError("unhealthy", received="somebody does not like it")

    monkeypatch.setattr(sequence, "wait_for", first_unhealthy)
    with packed(folder) as parcel:
        outcome = deploy(parcel, door, poll_seconds=POLL_SECONDS)
    assert (outcome.result, place.current) == (Result.ROLLED_BACK, "demo")
    assert "demo serves again" in outcome.text
    assert seen == [parcel.digest, bundle_digest(place.models / "demo")]
    memory = recall(state)
    assert (memory.highest.sequence, memory.allowed.name) == (10_000, "demo")


def test_an_older_bundle_goes_to_a_door_where_that_is_said(
    place: Place, tmp_path: Path, models: Path, signer: Signer, state: Path
) -> None:
    with packed(published(tmp_path / "household", models, sequence=1, signer=signer)) as parcel:
        place.holds(parcel)
        outcome = deploy(parcel, operated(place, state), older=True, poll_seconds=POLL_SECONDS)
    assert (outcome.result, place.current) == (Result.DEPLOYED, parcel.folder), outcome.text


def test_an_operator_who_may_not_write_the_state_is_told_so(
    place: Place, tmp_path: Path, models: Path, signer: Signer, state: Path
) -> None:
    shutil.rmtree(state)
    state.write_text("not a folder")
    with packed(published(tmp_path / "household", models, sequence=10_000, signer=signer)) as parcel:
        outcome = deploy(parcel, operated(place, state), older=True, poll_seconds=POLL_SECONDS)
    assert outcome.result == Result.ROLLED_BACK
    assert "cannot be recalled" in outcome.text or "cannot be remembered" in outcome.text


def test_a_door_that_would_refuse_the_bundle_says_so_before_anything_is_copied_and_what_to_do(
    place: Place, tmp_path: Path, models: Path, signer: Signer, state: Path
) -> None:
    make_keys(tmp_path / "others")
    other = read_signer(tmp_path / "others" / PRIVATE_FILE)
    before = place.folders()
    for by, said in ((None, "training sign BUNDLE --key FILE"), (other, "sudo voicelatch key trust LINE")):
        with packed(published(tmp_path / "household", models, sequence=10_000, signer=by)) as parcel:
            for dry_run in (True, False):
                (outcome,) = deploy_all(parcel, [operated(place, state)], dry_run=dry_run, parallel=1)
                assert outcome.result == Result.FAILED
                assert "nothing was copied" in outcome.text
                assert said in outcome.text
    assert (place.folders(), place.current) == (before, "demo")


def test_a_door_that_trusts_nobody_yet_names_both_steps_and_one_that_cannot_be_asked_is_served(
    place: Place, tmp_path: Path, models: Path, signer: Signer, state: Path
) -> None:
    trusting = place.config.read_text()
    place.config.write_text(
        f'[relay]\npin = 17\n[model]\nbundle = "models"\ntrusted_keys_file = "{tmp_path / "none"}"\n'
    )
    with packed(published(tmp_path / "household", models, sequence=10_000, signer=None)) as parcel:
        (outcome,) = deploy_all(parcel, [operated(place, state)], dry_run=False, parallel=1)
        assert "training sign BUNDLE" in outcome.text
        assert "key trust LINE" in outcome.text
    place.config.write_text(trusting)
    with packed(published(tmp_path / "household", models, sequence=10_000, signer=signer)) as parcel:
        door = place.door(config=str(tmp_path / "not to be read"), health_seconds=5.0)
        place.holds(parcel)
        assert deploy(parcel, door, dry_run=True).result == Result.PLANNED
