"""From doors behind a real sshd to the workshop's recordings; and what a door's word is worth."""

import argparse
import hashlib
import io
import json
import sys
import tarfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from device.errors import ConfigError, DataError
from device.service.kept_clips import Label, label_clip
from device.service.recordings import Shelf
from device.service.recordings_command import send
from device.sound.wavfile import read_wav, write_wav
from tests.benches.ssh_server import SshServer, ssh_server, why_not
from tests.conftest import ROOT
from training.corpus.index import index_folder
from training.deploy.door import Door
from training.deploy.inventory import DoorSettings
from training.deploy.pull import Listed, batches, plan, unpack
from training.deploy.pull import why_not as why_refused
from training.deploy.pull_command import add_parser, pull
from training.deploy.remote import DoorError, Remote, UnreachableError

needs_sshd = pytest.mark.skipif(why_not() is not None, reason=str(why_not()))
EVENING = ROOT / "device" / "simulated" / "evening"
ANNA, BRUNO = read_wav(EVENING / "anna.wav"), read_wav(EVENING / "bruno.wav")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SshServer]:
    with ssh_server(tmp_path_factory.mktemp("sshd")) as running:
        yield running


@pytest.fixture
def state(tmp_path: Path) -> Path:
    # A path that only a careful quotation survives.
    folder = tmp_path / "Ann's state; $HOME"
    folder.mkdir()
    return folder


@pytest.fixture
def door(server: SshServer) -> Door:
    return Door("porch", DoorSettings(host=server.host, port=server.port, identity=server.identity,
                                      options=server.options, folder=str(ROOT), python=sys.executable,
                                      privileged_command="",
                                      reload_command="false"))  # fmt: skip


def listed(path: str, content: bytes = b"x") -> Listed:
    return Listed(path, len(content), hashlib.sha256(content).hexdigest())


def tar(**contents: bytes) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for name, content in contents.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return out.getvalue()


@needs_sshd
def test_what_is_new_arrives_in_the_layout_that_training_reads_and_is_told_per_person(
    door: Door, state: Path, tmp_path: Path
) -> None:
    shelf, into = Shelf(state), tmp_path / "household"
    shelf.keep(ANNA, "allowed", "Anna", "2026-11-23")
    shelf.keep(BRUNO, "allowed", "Anna", "2026-11-24")
    shelf.keep(BRUNO[:20_000], "strangers", "Olaf O'Neil", "2026-11-24")
    shelf.keep(ANNA[:16_000], "noise", "", "2026-11-24")
    told = pull(door, into, state=str(state))
    assert told.ok, told.problem
    assert [(each.whose, each.files, each.sessions) for each in told.arrived] == [
        ("allowed/Anna", 2, ("2026-11-23", "2026-11-24")), ("noise", 1, ("2026-11-24",)),
        ("strangers/Olaf O'Neil", 1, ("2026-11-24",)),
    ]  # fmt: skip
    index = index_folder(into)
    of_anna = [each for each in index.recordings if each.speaker == "Anna"]
    assert {each.session for each in of_anna} == {"2026-11-23", "2026-11-24"}
    assert told.arrived[0].seconds == pytest.approx(sum(each.speech_seconds for each in of_anna), abs=0.2)
    again = pull(door, into, state=str(state))
    assert (again.arrived, again.here, again.ok) == ((), 4, True)


@needs_sshd
def test_a_clip_that_was_reviewed_at_the_door_comes_as_what_it_was_said_to_be(
    door: Door, state: Path, tmp_path: Path
) -> None:
    clips = state / "clips"
    clips.mkdir()
    for name in ("20261124T180000.000000-1-Anna-refuse.wav", "20261124T181500.000000-2-Anna-refuse.wav"):
        write_wav(clips / name, ANNA[:48_000])
    now = datetime(2026, 11, 25, tzinfo=UTC)
    label_clip(state, "20261124T180000.000000-1-Anna-refuse.wav", Label("allowed", "Anna"), people=("Anna",), now=now)
    label_clip(state, "20261124T181500.000000-2-Anna-refuse.wav", Label("others"), people=("Anna",), now=now)
    told = pull(door, tmp_path / "household", state=str(state))
    assert [(each.whose, each.sessions) for each in told.arrived] == [
        ("allowed/Anna", ("2026-11-24",)), ("others/visitor-20261124T1815", ("2026-11-24",))
    ]  # fmt: skip


def test_the_door_s_recordings_are_asked_for_by_exact_commands(monkeypatch: pytest.MonkeyPatch) -> None:
    """sudoers(5) on the door allows these, word for word, and nothing that could be made of them."""
    asked: list[str] = []

    def run(_: Remote, script: str, **__: object) -> bytes:
        asked.append(script)
        return b"[]"

    monkeypatch.setattr(Remote, "_run", run)
    door = Door("porch", DoorSettings(host="pi@door"))
    door.list_recordings("/elsewhere")
    door.send_recordings("/elsewhere", b"allowed/Anna/1/01.wav\0")
    door.reload()
    operations = ("list-recordings", "send-recordings", "reload")
    assert asked == [f"sudo -n /opt/voicelatch/bin/deploy {each}" for each in operations]


def test_where_a_door_keeps_its_state_is_the_door_s_own_affair(tmp_path: Path) -> None:
    parser = argparse.ArgumentParser()
    add_parser(parser.add_subparsers())
    parsed = parser.parse_args(["pull", "pi@door", "--into", str(tmp_path), "--state-dir", "/etc"])
    with pytest.raises(ConfigError, match="--state-dir"):
        parsed.action(parsed)


@needs_sshd
def test_what_is_here_is_never_overwritten_or_deleted(door: Door, state: Path, tmp_path: Path) -> None:
    shelf, into = Shelf(state), tmp_path / "household"
    kept = shelf.keep(ANNA, "allowed", "Anna", "2026-11-23")
    mine = into / "allowed/Anna/2026-11-23/01.wav"
    older = into / "allowed/Anna/2026-11-20/mine.flac"
    for path in (mine, older):
        path.parent.mkdir(parents=True)
        path.write_bytes(b"from another door")
    told = pull(door, into, state=str(state))
    assert told.ok
    assert mine.read_bytes() == older.read_bytes() == b"from another door"
    (further,) = [path for path in mine.parent.iterdir() if path != mine]
    assert further.read_bytes() == kept.read_bytes()
    assert pull(door, into, state=str(state)).arrived == (), "it is not fetched twice"
    kept.unlink()
    pull(door, into, state=str(state))
    assert further.exists(), "what the door forgot stays here"


@needs_sshd
def test_a_dry_run_says_what_would_come_and_brings_nothing(
    server: SshServer, state: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Shelf(state).keep(ANNA, "allowed", "Anna", "2026-11-23")
    into = tmp_path / "household"
    inventory = tmp_path / "doors.toml"
    inventory.write_text(
        f'[doors.porch]\nhost = "{server.host}"\nport = {server.port}\nidentity = "{server.identity}"\n'
        f'options = {json.dumps(server.options)}\nfolder = "{ROOT}"\npython = "{sys.executable}"\n'
        'privileged_command = ""\nreload_command = "false"\n'
        f'[doors.cellar]\nhost = "{server.host}"\nport = 1\nidentity = "{server.identity}"\n'
        'privileged_command = ""\nreload_command = "false"\n'
    )
    parser = argparse.ArgumentParser()
    add_parser(parser.add_subparsers())

    def command(*more: str) -> int:
        parsed = parser.parse_args(
            ["pull", "--inventory", str(inventory), "--into", str(into), "--state-dir", str(state), *more]
        )
        return int(parsed.action(parsed))

    assert command("porch", "--dry-run") == 0
    assert "porch: allowed/Anna: 1 would come (2026-11-23)" in capsys.readouterr().out
    assert not into.exists()
    assert command("--json") == 1, "one door of two is out of reach"
    told = json.loads(capsys.readouterr().out)
    assert [(each["door"], each["ok"]) for each in told["doors"]] == [("porch", True), ("cellar", False)]
    assert "no connection" in told["doors"][1]["problem"]
    assert (into / "allowed/Anna/2026-11-23/01.wav").is_file()
    assert command("porch") == 0
    assert "nothing new" in capsys.readouterr().out


@needs_sshd
def test_a_connection_that_breaks_loses_nothing_that_arrived_and_the_next_pull_goes_on(
    door: Door, state: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for person in ("Anna", "Bruno"):
        Shelf(state).keep(ANNA, "allowed", person, "2026-11-23")
    monkeypatch.setattr("training.deploy.pull.MOST_FILES", 1)
    fetched, whole = [], Remote.fetch

    def break_off(remote: Remote, script: str, *, stdin: bytes) -> bytes:
        fetched.append(stdin)
        if len(fetched) == 2:
            raise UnreachableError("there is no connection", received="broken pipe")
        return whole(remote, script, stdin=stdin)

    monkeypatch.setattr(Remote, "fetch", break_off)
    told = pull(door, tmp_path / "household", state=str(state))
    assert (told.ok, [each.whose for each in told.arrived]) == (False, ["allowed/Anna"])
    assert "broken pipe" in told.problem
    again = pull(door, tmp_path / "household", state=str(state))
    assert (again.ok, again.here, [each.whose for each in again.arrived]) == (True, 1, ["allowed/Bruno"])


@needs_sshd
def test_a_door_that_does_not_let_this_user_read_says_what_to_do(door: Door, state: Path, tmp_path: Path) -> None:
    locked = Door("porch", DoorSettings(**{**{name: getattr(door.settings, name) for name in
                  ("host", "port", "identity", "options", "folder", "python")},
                  "privileged_command": "false"}))  # fmt: skip
    told = pull(locked, tmp_path, state=str(state))
    assert not told.ok
    assert "install.sh --deployer" in told.problem


def test_an_empty_door_has_nothing(tmp_path: Path) -> None:
    assert list(Shelf(tmp_path / "absent").files()) == []


@pytest.mark.parametrize(
    "path",
    ["/etc/passwd.wav", "../outside.wav", "allowed/../../x/y.wav", "allowed/Anna/..", "secrets/Anna/1/01.wav",
     "allowed/Anna.wav", "allowed/Anna/1/01.mp3", "allowed/.ssh/1/01.wav", "allowed/~root/1/01.wav", "allowed//A/1.wav",
     "allowed/A\n/1/01.wav", "allowed/A\\B/1/01.wav", "C:/allowed/A/01.wav", "noise.wav", "", "."],
)  # fmt: skip
def test_a_name_outside_the_layout_is_refused_whatever_the_door_says(path: str, tmp_path: Path) -> None:
    assert why_refused(listed(path))
    refused = plan([listed(path), listed("allowed/Anna/2026-11-23/01.wav")], tmp_path)
    assert len(refused.refused) == 1
    assert list(refused.new) == ["allowed/Anna/2026-11-23/01.wav"]


@pytest.mark.parametrize(
    ("sent", "reason"),
    [
        (tar(**{"a.wav": b"other"}), "not what the door had listed"),
        (tar(**{"a.wav": b"x", "b.wav": b"x"}), "not asked for"),
        (tar(), "did not arrive"),
        (tar(**{"a.wav": b"x"})[:700], "did not arrive as it should"),
        (b"", "did not arrive as it should"),
    ],
)
def test_an_archive_that_is_not_what_was_asked_for_is_refused(sent: bytes, reason: str) -> None:
    with pytest.raises(DoorError, match=reason):
        list(unpack(sent, {"a.wav": listed("a.wav")}, "porch"))


def test_much_comes_in_parts_of_bounded_size() -> None:
    new = {f"{number}.wav": Listed(f"{number}.wav", 10 << 20, "") for number in range(7)}
    assert [len(each) for each in batches(new)] == [3, 3, 1]
    assert [len(each) for each in batches({str(number): listed(str(number)) for number in range(501)})] == [500, 1]
    assert list(batches({})) == []


def test_a_door_sends_recordings_and_nothing_else(tmp_path: Path) -> None:
    shelf, out = Shelf(tmp_path), io.BytesIO()
    shelf.keep(ANNA, "allowed", "Anna", "2026-11-23")
    (tmp_path / "secret.wav").write_bytes(b"not a recording")
    (tmp_path / "recordings/link.wav").symlink_to(tmp_path / "secret.wav")
    for name in ("../secret.wav", "link.wav", "allowed/Anna/2026-11-23/02.wav"):
        with pytest.raises(DataError, match="no such recording"):
            send(shelf, [name], out)
    assert out.getvalue() == b""
    assert send(shelf, ["allowed/Anna/2026-11-23/01.wav"], out) == 1
    assert [each.path for each in shelf.files()] == ["allowed/Anna/2026-11-23/01.wav"]
