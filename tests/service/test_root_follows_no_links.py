"""Root, in a folder that the daemon's user can write: whatever that user plants, root's own files stay root's."""

import json
import os
import pwd
import shutil
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from device.ownership import become_owner_of, give_to_owner_of_folder, set_rights_of_tree
from tests.conftest import ROOT

USER = "nobody"
SECRET = "root:$6$precious:19000:0:99999:7:::\n"


def _why_not() -> str | None:
    if os.geteuid() != 0:
        return "the daemon's user is played by a second user, which takes root"
    tried = subprocess.run(
        ["setpriv", f"--reuid={USER}", "--clear-groups", sys.executable, "-c", "import device.service.cli"],
        cwd=ROOT, capture_output=True, check=False,
    )  # fmt: skip
    return "another user cannot read this checkout" if tried.returncode else None


WHY_NOT = _why_not()
pytestmark = pytest.mark.skipif(WHY_NOT is not None, reason=WHY_NOT or "")


@dataclass(frozen=True)
class House:
    """``state`` belongs to the daemon's user, ``secret`` and the folder ``private`` around it to root."""

    state: Path
    secret: Path
    private: Path
    config: Path
    before: tuple[int, ...]

    def run(self, *arguments: str, stdin: str = "") -> "subprocess.CompletedProcess[str]":
        """A command of the door, as root."""
        return subprocess.run(
            [sys.executable, "-m", "device", *arguments], cwd=ROOT, input=stdin, text=True, capture_output=True,
            check=False, env={"PATH": os.environ["PATH"], "STATE_DIRECTORY": str(self.state)}, timeout=60,
        )  # fmt: skip

    def plant(self, name: str, target: Path | None = None) -> None:
        """As the daemon's user, a link to root's file."""
        path = self.state / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.symlink_to(target or self.secret)

    def is_untouched(self) -> bool:
        return self.secret.read_text() == SECRET and _seen(self.secret) == self.before


def _seen(path: Path) -> tuple[int, ...]:
    told = path.stat()
    return told.st_uid, told.st_gid, told.st_mode, told.st_ino


@pytest.fixture
def house() -> Iterator[House]:
    # Not pytest's own folder: that is closed to other users.
    base = Path(tempfile.mkdtemp(prefix="voicelatch-test-", dir="/var/tmp"))
    base.chmod(0o755)
    state, private = base / "state", base / "private"
    state.mkdir()
    private.mkdir(mode=0o700)
    owner = pwd.getpwnam(USER)
    os.chown(state, owner.pw_uid, owner.pw_gid)
    (private / "secret").write_text(SECRET)
    (private / "secret").chmod(0o600)
    config = base / "voicelatch.toml"
    config.write_text(
        f'[relay]\npin = 17\npin_factory = "mock"\n[model]\nbundle = "{ROOT}/models"\nallow_unsigned = true\n'
    )
    try:
        yield House(state, private / "secret", private, config, _seen(private / "secret"))
    finally:
        shutil.rmtree(base)


BESIDE_THE_LOG = ("events.db-wal", "events.db-shm", "events.db.head", "events.db.head.new", "events.db.lock",
                  "replay.npz", "events.db.damaged-1")  # fmt: skip
A_LOG = (
    "import sys; from pathlib import Path\n"
    "from device.ports import Event; from device.service.events import FileEvents\n"
    "log = FileEvents(Path(sys.argv[1]), max_bytes=10**6, keep_days=9.0)\n"
    "from datetime import UTC, datetime\n"
    "log.record(Event(kind='decision', at_seconds=0.0, wall_time=datetime.now(UTC),\n"
    "                 details={'resident': 'root'}))\n"
    "log.close()"
)


@pytest.mark.parametrize("names", [("events.db",), BESIDE_THE_LOG], ids=["the log", "beside it"])
@pytest.mark.parametrize("command", ["list", "verify", "forget", "review"])
def test_no_command_on_the_event_log_reads_writes_or_gives_away_what_a_planted_link_leads_to(
    house: House, names: tuple[str, ...], command: str
) -> None:
    if "events.db" not in names:
        # A log that is there already, as the daemon left it.
        as_user = ["setpriv", f"--reuid={USER}", "--clear-groups", sys.executable, "-c", A_LOG]
        subprocess.run([*as_user, house.state / "events.db"], cwd=ROOT, check=True)
    for name in names:
        (house.state / name).unlink(missing_ok=True)
        house.plant(name)
    asked = ["forget", "root"] if command == "forget" else ["events", command]
    done = house.run(*asked, "--config", str(house.config), "--state-dir", str(house.state))
    assert house.is_untouched(), done
    assert "precious" not in done.stdout + done.stderr


def test_forget_removes_nothing_beyond_a_link_in_the_recordings(house: House) -> None:
    (house.private / "Anna").mkdir()
    (house.private / "Anna/01.wav").write_bytes(b"root's own")
    house.plant("recordings/allowed", house.private)
    house.plant("clips", house.private)
    house.run("forget", "Anna", "--config", str(house.config), "--state-dir", str(house.state))
    assert (house.private / "Anna/01.wav").read_bytes() == b"root's own"


def test_the_recordings_that_root_lists_and_sends_are_those_the_daemon_s_user_could_read(house: House) -> None:
    (house.private / "1").mkdir()
    shutil.copy(house.secret, house.private / "1/01.wav")
    house.plant("recordings/allowed/Anna", house.private)
    done = house.run("recordings", "list", "--json", "--state-dir", str(house.state))
    assert "01.wav" not in done.stdout
    done = house.run("recordings", "send", "--state-dir", str(house.state), stdin="allowed/Anna/1/01.wav\0")
    assert "precious" not in done.stdout + done.stderr


@pytest.mark.parametrize("name", ["accepted.json", ".accepted.json.new"])
def test_the_note_of_an_accepted_bundle_follows_no_link(house: House, name: str, tmp_path: Path) -> None:
    models = tmp_path / "models"
    shutil.copytree(ROOT / "models/demo", models / "demo")
    house.plant(name)
    done = house.run("use", "demo", "--models", str(models), "--config", str(house.config), "--allow-downgrade",
                     "--state-dir", str(house.state))  # fmt: skip
    assert house.is_untouched(), done
    assert "precious" not in done.stdout + done.stderr


@pytest.mark.parametrize("name", ["current", ".current.new"])
def test_the_pointer_to_the_current_bundle_is_written_through_no_link(house: House, name: str) -> None:
    """The models folder is root's, and those who deploy can write in it."""
    models = house.private.parent / "models"
    shutil.copytree(ROOT / "models/demo", models / "demo")
    (models / name).symlink_to(house.secret)
    done = house.run("use", "demo", "--models", str(models), "--config", str(house.config))
    assert house.is_untouched(), done
    assert "precious" not in done.stdout + done.stderr


@pytest.mark.parametrize("name", ["web-password", ".web-password.new"])
def test_the_page_s_password_is_written_through_no_link(house: House, name: str) -> None:
    house.plant(name)
    done = house.run("web", "password", "--stdin", "--config", str(house.config), "--state-dir", str(house.state),
                     stdin="correct horse battery\n")  # fmt: skip
    assert house.is_untouched(), done
    assert pwd.getpwuid((house.state / "web-password").lstat().st_uid).pw_name == USER


def test_what_root_makes_belongs_to_the_daemon_s_user(house: House, tmp_path: Path) -> None:
    shutil.copytree(ROOT / "models/demo", tmp_path / "demo")
    newer = {"highest": {"name": "newer", "sequence": 999_999_999, "digest": "0" * 64}}
    (house.state / "accepted.json").write_text(json.dumps(newer))
    done = house.run("use", "demo", "--models", str(tmp_path), "--config", str(house.config), "--allow-downgrade",
                     "--state-dir", str(house.state))  # fmt: skip
    assert done.returncode == 0, done.stderr
    told = {pwd.getpwuid(each.lstat().st_uid).pw_name for each in house.state.iterdir()}
    assert told == {USER}
    assert stat.S_IMODE((house.state / "accepted.json").stat().st_mode) == 0o600


def test_root_gives_away_what_it_made_and_neither_a_link_nor_a_file_with_a_second_name(house: House) -> None:
    made = house.state / "made"
    made.write_text("")
    give_to_owner_of_folder(made)
    assert pwd.getpwuid(made.stat().st_uid).pw_name == USER
    house.plant("link")
    os.link(house.secret, house.state / "second-name")
    for name in ("link", "second-name"):
        with pytest.raises(OSError, match=r"Too many levels of symbolic links|not a file of its own"):
            give_to_owner_of_folder(house.state / name)
    (house.state / "second-name").unlink()
    assert house.is_untouched()


def test_the_rights_of_a_tree_are_set_through_no_link_and_to_no_file_with_a_second_name(house: House) -> None:
    (house.state / "bundle").mkdir()
    (house.state / "bundle/model").write_bytes(b"x")
    house.plant("bundle/link")
    house.plant("folder", house.private)
    os.link(house.secret, house.state / "bundle/second-name")
    group = pwd.getpwnam(USER).pw_gid
    set_rights_of_tree(house.state, gid=group)
    (house.state / "bundle/second-name").unlink()
    assert house.is_untouched()
    assert stat.S_IMODE(house.private.stat().st_mode) == 0o700
    told = (house.state / "bundle/model").stat()
    assert (told.st_gid, stat.S_IMODE(told.st_mode)) == (group, 0o660)
    assert stat.S_IMODE((house.state / "bundle").stat().st_mode) == 0o2770


def test_root_becomes_the_user_of_the_first_folder_on_the_way_that_is_not_root_s(house: House) -> None:
    """A folder further down, though it is root's own, is where that user put it or a link to it."""
    house.plant("log", house.private)
    code = ("import os, sys; from pathlib import Path; from device.ownership import become_owner_of\n"
            "become_owner_of(Path(sys.argv[1])); print(*os.getresuid(), *os.getgroups())")  # fmt: skip
    uid, gid = pwd.getpwnam(USER).pw_uid, pwd.getpwnam(USER).pw_gid

    def became(path: Path) -> str:
        done = subprocess.run([sys.executable, "-c", code, path], cwd=ROOT, capture_output=True, text=True, check=True)
        return done.stdout.strip()

    assert became(house.state / "log") == became(house.state) == f"{uid} {uid} {uid} {gid}"
    assert became(house.private).startswith("0 0 0")
    become_owner_of(house.private / "absent")
    assert os.geteuid() == 0
