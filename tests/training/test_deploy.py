"""From the workshop to doors behind a real sshd, each with a real daemon."""

import argparse
import json
import os
import shlex
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from device.errors import BundleError
from device.service.status import look
from device.service.verified import bundle_digest
from device.verdict.bundle import REQUIRED, read_folder, write_folder
from tests.benches.place import Place
from tests.benches.ssh_server import SshServer, ssh_server, why_not
from training.deploy import deploy as sequence
from training.deploy.command import add_parser
from training.deploy.deploy import Outcome, Result, deploy_all
from training.deploy.door import Door, Health
from training.deploy.inventory import DoorSettings
from training.deploy.parcel import Parcel, packed
from training.deploy.remote import Remote, UnreachableError

pytestmark = pytest.mark.skipif(why_not() is not None, reason=str(why_not()))
POLL_SECONDS = 0.05


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SshServer]:
    with ssh_server(tmp_path_factory.mktemp("sshd")) as running:
        yield running


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory, models: Path) -> Path:
    """A models folder of the workshop whose current bundle is another than the shipped one."""
    folder = tmp_path_factory.mktemp("workshop") / "models"
    files = read_folder(models / "demo", REQUIRED)
    manifest = json.loads(files["manifest.json"]) | {"name": "household", "sequence": 41}
    write_folder(folder / "household", {**files, "manifest.json": json.dumps(manifest).encode()})
    (folder / "current").write_text("household\n")
    return folder


@pytest.fixture(scope="module")
def parcel(published: Path) -> Iterator[Parcel]:
    with packed(published) as made:
        yield made


@pytest.fixture
def place(tmp_path: Path, models: Path, server: SshServer) -> Iterator[Place]:
    # A path that only a careful quotation survives.
    made = Place(tmp_path / "Ann's door; $HOME", models, server)
    yield made
    made.stop()


def send(parcel: Parcel, door: Door) -> Outcome:
    (outcome,) = deploy_all(parcel, [door], dry_run=False, parallel=1, poll_seconds=POLL_SECONDS)
    return outcome


def command(*arguments: str) -> int:
    parser = argparse.ArgumentParser()
    add_parser(parser.add_subparsers())
    parsed = parser.parse_args(["deploy", *arguments])
    return int(parsed.action(parsed))


def of_server(server: SshServer) -> list[str]:
    options = [part for option in server.options for part in ("--option", option)]
    return ["--port", str(server.port), "--identity", server.identity, *options]


def test_the_daemon_serves_the_new_bundle_and_a_second_deployment_changes_nothing(
    place: Place, parcel: Parcel, caplog: pytest.LogCaptureFixture
) -> None:
    place.start()
    before = place.serves()
    with caplog.at_level("INFO"):
        outcome = send(parcel, place.door())
    assert (outcome.result, outcome.before, outcome.now) == (Result.DEPLOYED, "demo", parcel.folder), outcome.text
    assert ("by rsync" in caplog.text) == (shutil.which("rsync") is not None)
    assert place.current == parcel.folder
    assert place.serves() == parcel.digest != before
    assert place.folders() == {"demo", parcel.folder}
    told = look(place.runtime).status
    again = send(parcel, place.door())
    assert (again.result, again.ok) == (Result.UNCHANGED, True)
    assert look(place.runtime).status == told


def test_a_bundle_that_is_damaged_on_the_way_is_not_switched_to(place: Place, parcel: Parcel, tmp_path: Path) -> None:
    """The door's python damages what arrived before it is looked at."""
    python = tmp_path / "python"
    damage = 'for each in models/.incoming-*; do printf x >> "$each/head.npz"; done'
    python.write_text(f'#!/bin/sh\ncase "$*" in *check*) {damage};; esac\nexec {shlex.quote(sys.executable)} "$@"\n')
    python.chmod(0o755)
    outcome = send(parcel, place.door(python=str(python)))
    assert (outcome.result, outcome.ok) == (Result.FAILED, False)
    assert "altered" in outcome.text
    assert place.current == "demo"
    assert place.folders() == {"demo"}


def test_another_bundle_than_was_sent_is_not_taken_for_it(place: Place, parcel: Parcel) -> None:
    with pytest.raises(OSError, match="another bundle than was sent"):
        place.door().check("models/demo", digest=parcel.digest)


def test_a_damaged_copy_from_before_is_replaced(place: Place, parcel: Parcel) -> None:
    place.holds(parcel)
    (place.models / parcel.folder / "golden.npz").write_bytes(b"")
    sequence.bring(parcel, place.door(), place.door().look(parcel.folder))
    place.door().check(f"models/{parcel.folder}", digest=parcel.digest)
    assert place.folders() == {"demo", parcel.folder}


def test_a_daemon_that_refuses_is_rolled_back_at_once(place: Place, parcel: Parcel) -> None:
    place.holds(parcel)
    place.start()
    before = place.serves()
    place.config.write_text(place.config.read_text() + "[polcy]\n")
    outcome = send(parcel, place.door(health_seconds=60.0))
    assert (outcome.result, outcome.now, outcome.ok) == (Result.ROLLED_BACK, "demo", False)
    assert "refused it" in outcome.text
    assert "demo serves again" in outcome.text
    assert (place.current, place.serves()) == ("demo", before)


def test_a_daemon_that_goes_on_with_another_bundle_is_rolled_back_after_the_time_limit(
    place: Place, parcel: Parcel, models: Path
) -> None:
    place.holds(parcel)
    place.reads(models)
    place.start()
    # Time enough for a reload on a busy machine.
    outcome = send(parcel, place.door(health_seconds=3.0))
    assert (outcome.result, place.current) == (Result.ROLLED_BACK, "demo")
    assert "not healthy within 3 s" in outcome.text
    assert "another bundle" in outcome.text


def test_a_dead_daemon_is_rolled_back_and_said_to_be_dead(place: Place, parcel: Parcel) -> None:
    place.holds(parcel)
    outcome = send(parcel, place.door(health_seconds=0.5))
    assert (outcome.result, outcome.now, place.current) == (Result.ROLLED_BACK, "demo", "demo")
    assert "the daemon is not healthy with it" in outcome.text
    assert "No such process" in outcome.text


def test_a_daemon_that_died_of_the_bundle_and_is_started_again_serves_the_old_one(
    place: Place, parcel: Parcel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """systemd starts it anew, and its reload command fails until then."""
    place.holds(parcel)
    place.start()
    door = place.door()
    health, looked = Door.health, []

    def start_late(each: Door, **more: float) -> Health:
        looked.append(each)
        # 1: before the switch; 2: before the reload that rolls back; then systemd has done its work.
        if len(looked) == 3:
            place.start()
        return health(each, **more)

    monkeypatch.setattr(Door, "health", start_late)
    monkeypatch.setattr(Door, "reload", lambda each: (place.stop(), Remote(each.settings).run("false")))
    outcome = send(parcel, door)
    assert (outcome.result, place.current) == (Result.ROLLED_BACK, "demo")
    assert "demo serves again" in outcome.text
    assert place.serves() == bundle_digest(place.models / "demo")


def test_a_connection_lost_after_the_switch_is_rolled_back(
    place: Place, parcel: Parcel, monkeypatch: pytest.MonkeyPatch
) -> None:
    place.holds(parcel)
    place.start()
    use, lost = Door.use, []

    def use_and_lose(door: Door, bundle: str) -> str:
        digest = use(door, bundle)
        if not lost:
            lost.append(bundle)
            raise UnreachableError("there is no connection", received="broken pipe")
        return digest

    monkeypatch.setattr(Door, "use", use_and_lose)
    outcome = send(parcel, place.door())
    assert lost == [parcel.folder]
    assert (outcome.result, place.current) == (Result.ROLLED_BACK, "demo")
    assert "broken pipe" in outcome.text


def test_one_door_out_of_reach_does_not_keep_the_other_from_being_served(
    place: Place, published: Path, server: SshServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    place.start()
    settings = place.door().settings
    common = f"options = {json.dumps(settings.options)}\nidentity = {json.dumps(settings.identity)}\n"
    (tmp_path / "doors.toml").write_text(
        f'[doors.cellar]\nhost = "{server.host}"\nport = 1\n{common}'
        f'[doors.porch]\nhost = "{server.host}"\nport = {server.port}\n{common}'
        + "".join(
            f"{key} = {json.dumps(getattr(settings, key))}\n"
            for key in ("folder", "python", "reload_command", "status_command")
        )
    )
    assert command("--inventory", str(tmp_path / "doors.toml"), "--bundle", str(published), "--json") == 1
    told = json.loads(capsys.readouterr().out)
    assert [(each["door"], each["result"]) for each in told["doors"]] == [("cellar", "failed"), ("porch", "deployed")]
    assert "no connection" in told["doors"][0]["text"]
    assert place.serves() == told["digest"]


def test_a_dry_run_looks_and_leaves_everything_as_it_is(
    place: Place, published: Path, server: SshServer, capsys: pytest.CaptureFixture[str]
) -> None:
    where = ["--folder", str(place.folder), "--python", sys.executable, "--bundle", str(published)]
    assert command(server.host, *of_server(server), *where, "--dry-run") == 0
    said = capsys.readouterr().out
    assert "would deploy" in said
    assert "its daemon does not listen" in said
    assert (place.current, place.folders()) == ("demo", {"demo"})


def test_old_bundles_go_but_never_the_current_the_previous_or_one_put_there_by_hand(
    place: Place, parcel: Parcel
) -> None:
    place.holds(parcel)
    previous, others = "household-1-0000000d", ["household-9-0000000a", "household-8-0000000b", "household-7-0000000c"]
    # The previous one is the oldest of all.
    for age, name in enumerate([*others, "by-hand", ".incoming-cut-off", previous]):
        (place.models / name).mkdir()
        os.utime(place.models / name, (1_000_000 - age, 1_000_000 - age))
    (place.models / ".incoming-of-somebody-else").mkdir()
    said = sequence.prune(place.door(keep=3), parcel.folder, previous)
    kept = {"demo", "by-hand", ".incoming-of-somebody-else", parcel.folder, previous, others[0]}
    assert place.folders() == kept
    assert said == f"in service; removed {others[1]}, {others[2]}"


def test_a_door_without_rsync_is_served_all_the_same(
    tmp_path: Path, place: Place, parcel: Parcel, caplog: pytest.LogCaptureFixture
) -> None:
    programs, keys = tmp_path / "programs", tmp_path / "sshd"
    for folder in (programs, keys):
        folder.mkdir()
    for each in ("sh", "tar", "mkdir", "mv", "rm", "mktemp", "chmod", "head", "find", "touch"):
        os.symlink(str(shutil.which(each)), programs / each)
    with ssh_server(keys, path=str(programs)) as bare, caplog.at_level("INFO"):
        door = place.door(port=bare.port, identity=bare.identity, options=bare.options)
        seen = door.look(parcel.folder)
        sequence.bring(parcel, door, seen)
    assert not seen.has_rsync
    assert "by tar" in caplog.text
    assert bundle_digest(place.models / parcel.folder) == parcel.digest


def test_a_door_that_forgot_its_host_key_is_not_trusted(place: Place, parcel: Parcel) -> None:
    outcome = send(parcel, place.door(options=("UserKnownHostsFile=/dev/null", "GlobalKnownHostsFile=/dev/null")))
    assert outcome.result == Result.FAILED
    assert "Host key verification failed" in outcome.text


def test_a_door_that_does_not_answer_in_time_is_out_of_reach(place: Place) -> None:
    with pytest.raises(UnreachableError, match="no answer in time"):
        place.door().remote.run("sleep 2", timeout_seconds=0.3)


def test_a_door_with_an_older_program_is_left_as_it_is(place: Place, parcel: Parcel) -> None:
    (place.folder / "device").unlink()
    (place.folder / "device").mkdir()
    (place.folder / "device" / "__main__.py").write_text("raise SystemExit(2)\n")
    outcome = send(parcel, place.door(status_command=""))
    assert (outcome.result, place.current, place.folders()) == (Result.FAILED, "demo", {"demo"})
    assert "exit code 2" in outcome.text


def test_a_defect_at_one_door_stays_there(parcel: Parcel, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_door: Door, _bundle: str) -> None:
        raise ZeroDivisionError("a defect of ours")

    monkeypatch.setattr(Door, "look", fail)
    doors = [Door(name, DoorSettings(host=name)) for name in ("a", "b")]
    outcomes = deploy_all(parcel, doors, dry_run=False, parallel=2)
    assert [(each.door, each.result) for each in outcomes] == [("a", Result.FAILED), ("b", Result.FAILED)]
    assert "ZeroDivisionError" in outcomes[0].text


def test_a_bundle_that_is_not_fit_here_reaches_no_door(published: Path, tmp_path: Path) -> None:
    shutil.copytree(published / "household", tmp_path / "bad")
    (tmp_path / "bad/head.npz").write_bytes(b"")
    with pytest.raises(BundleError, match="altered"):
        command("pi@door", "--bundle", str(tmp_path / "bad"))
