"""Who deploys to a door may do that and no more: the shipped script's sudoers lines, under a real sudo."""

import json
import shutil
from collections.abc import Iterator

import pytest

from tests.benches import private_root
from tests.benches.installed import PYTHON, TARGET, install, installed, stolen
from tests.benches.private_root import PrivateRoot
from tests.conftest import ROOT

WHY_NOT = private_root.why_not() or (
    None if shutil.which("visudo", path=private_root.PATH) else "sudo is not installed"
)
pytestmark = pytest.mark.skipif(WHY_NOT is not None, reason=WHY_NOT or "")
DEPLOY, SUDOERS = f"{TARGET}/bin/deploy", "/etc/sudoers.d/voicelatch"


@pytest.fixture(scope="module")
def door() -> Iterator[PrivateRoot]:
    with installed() as root:
        root.must("install", "-d", "-m", "700", "-o", "voicelatch", "/var/lib/voicelatch")
        sound = "/var/lib/voicelatch/recordings/allowed/Anna/2026-11-28/01.wav"
        root.must("install", "-D", "/srv/checkout/device/simulated/evening/anna.wav", sound)
        root.must("chown", "-R", "voicelatch:", "/var/lib/voicelatch")
        done = install(root, "--deployer", "eve")
        assert done.returncode == 0, done.stdout
        yield root


def test_a_deployer_pulls_the_recordings_and_reads_nothing_else(door: PrivateRoot) -> None:
    listed = json.loads(door.must("sudo", "-n", DEPLOY, "list-recordings", user="eve"))
    assert [each["path"] for each in listed] == ["allowed/Anna/2026-11-28/01.wav"]
    sent = door.run("sh", "-c", f"sudo -n {DEPLOY} send-recordings | tar -t", user="eve",
                    stdin="allowed/Anna/2026-11-28/01.wav\0").stdout  # fmt: skip
    assert sent == "allowed/Anna/2026-11-28/01.wav\n"
    assert "Permission denied" in door.run("ls", "/var/lib/voicelatch", user="eve").stdout


def test_a_folder_of_one_s_own_with_a_program_of_the_door_s_name_is_not_run_by_sudo(door: PrivateRoot) -> None:
    for operation in ("list-recordings", "send-recordings", "reload"):
        door.run("sudo", "-n", DEPLOY, operation, user="eve", folder="/home/eve/evil")
    # What the lines of before allowed.
    old = door.run("sudo", "-n", "-u", "voicelatch", PYTHON, "-m", "device", "recordings", "list", user="eve",
                   folder="/home/eve/evil")  # fmt: skip
    assert "password is required" in old.stdout
    assert stolen(door) == ""


@pytest.mark.parametrize(
    "name",
    ["PYTHONPATH", "PYTHONHOME", "PYTHONUSERBASE", "HOME", "BASH_ENV", "ENV", "LD_LIBRARY_PATH", "STATE_DIRECTORY"],
)
def test_the_environment_does_not_say_which_code_runs(door: PrivateRoot, name: str) -> None:
    setting = f"{name}=/home/eve/evil"
    door.run("env", setting, "sudo", "-n", "-E", DEPLOY, "list-recordings", user="eve")
    assert "not allowed" in door.run("sudo", "-n", setting, DEPLOY, "list-recordings", user="eve").stdout
    # Even where an administrator lets everything through, and for root itself.
    listed = door.must("env", setting, DEPLOY, "list-recordings", folder="/home/eve/evil")
    assert "allowed/Anna" in listed
    assert stolen(door) == ""


@pytest.mark.parametrize(
    "arguments",
    [(), ("",), ("reload", "sshd"), ("reload;id",), ("reload\nlist-recordings",), ("$(id)",), ("--help",), ("-c", "id"),
     ("list-recordings", "--state-dir", "/root"), ("list-recordings --state-dir /root",),
     ("send-recordings", "/etc/passwd"), ("allow-older", "demo"), ("../../bin/sh",), ("RELOAD",)],
    ids=repr,
)  # fmt: skip
def test_an_argument_that_is_no_operation_is_refused_by_sudo_and_by_the_program_itself(
    door: PrivateRoot, arguments: tuple[str, ...]
) -> None:
    by_sudo = door.run("sudo", "-n", DEPLOY, *arguments, user="eve")
    assert by_sudo.returncode == 1
    assert "password is required" in by_sudo.stdout
    by_itself = door.run(DEPLOY, *arguments)
    assert by_itself.returncode == 2
    assert by_itself.stdout.startswith("deploy: ")


@pytest.mark.parametrize(
    "name",
    [
        "",
        "..",
        "../demo",
        ".demo",
        "-demo",
        "--models",
        "a b",
        "a/b",
        "a\nb",
        "$(id)",
        "d\u00e9mo",
        "x" * 101,
        "x" * 5000,
    ],
)
def test_a_bundle_s_name_that_is_none_reaches_no_program(door: PrivateRoot, name: str) -> None:
    done = door.run(DEPLOY, "allow-older", stdin=name)
    assert done.returncode == 2
    assert done.stdout.startswith("deploy: ")


def test_an_older_bundle_is_let_in_only_by_whom_that_was_granted(door: PrivateRoot) -> None:
    assert "password is required" in door.run("sudo", "-n", DEPLOY, "allow-older", user="eve", stdin="demo").stdout
    newer = json.dumps({"highest": {"name": "newer", "sequence": 999_999_999, "digest": "0" * 64}})
    door.write("/var/lib/voicelatch/accepted.json", newer)
    door.must("chown", "voicelatch:", "/var/lib/voicelatch/accepted.json")
    assert install(door, "--deployer", "eve", "--may-downgrade").returncode == 0
    try:
        told = door.must("sudo", "-n", DEPLOY, "allow-older", user="eve", stdin="demo\n")
        assert json.loads(told.splitlines()[-1])["current"] == "demo"
        noted = door.must("sh", "-c", "cd /var/lib/voicelatch && stat -c %U accepted.json && cat accepted.json")
        assert noted.startswith("voicelatch\n")
        assert '"allowed": {\n  "name": "demo"' in noted
    finally:
        install(door, "--deployer", "eve")
        door.must("rm", "/var/lib/voicelatch/accepted.json")


def test_the_lines_are_exact_and_a_second_deployer_s_stand_beside_the_first_s(door: PrivateRoot) -> None:
    door.must("useradd", "adam")
    assert install(door, "--deployer", "adam").returncode == 0
    assert install(door, "--deployer", "adam").returncode == 0
    text = door.must("cat", SUDOERS)
    commands = ", ".join(f"{DEPLOY} {each}" for each in ("reload", "list-recordings", "send-recordings"))
    assert text.splitlines()[1:] == [f"{each} ALL=(root) NOPASSWD:NOSETENV: {commands}" for each in ("eve", "adam")]
    assert door.must("stat", "-c", "%U %G %a", SUDOERS).strip() == "root root 440"
    door.must("visudo", "-c")
    assert "voicelatch-models" in door.must("id", "-nG", "adam")
    assert install(door, "--no-deployer", "adam").returncode == 0
    assert "adam" not in door.must("cat", SUDOERS)
    assert "eve" in door.must("cat", SUDOERS)
    assert "voicelatch-models" not in door.must("id", "-nG", "adam")


@pytest.mark.parametrize(
    "name",
    ["ALL", "%sudo", "#0", "+net", "eve,root", "eve ALL", "!eve", "root", "voicelatch", "absent", "EVE_ALIAS", "-eve",
     "eve\nroot ALL"],
)  # fmt: skip
def test_a_name_that_sudo_could_read_otherwise_or_that_nobody_has_is_not_written(door: PrivateRoot, name: str) -> None:
    before = door.must("cat", SUDOERS)
    assert install(door, "--deployer", name).returncode == 1
    assert door.must("cat", SUDOERS) == before


def test_what_visudo_refuses_is_not_put_in_place(door: PrivateRoot) -> None:
    before = door.must("cat", SUDOERS)
    door.write("/srv/stub/visudo", "#!/bin/sh\nexit 1\n", mode="755")
    done = install(door, "--deployer", "nobody", settings=(f"PATH=/srv/stub:{private_root.PATH}",))
    assert done.returncode == 1
    assert "visudo refuses" in done.stdout
    assert door.must("cat", SUDOERS) == before
    assert "voicelatch.new" not in door.must("ls", "/etc/sudoers.d")


@pytest.mark.parametrize(
    "place", [DEPLOY, f"{TARGET}/bin", f"{TARGET}/device/errors.py", TARGET, PYTHON.removesuffix("python")]
)
def test_nothing_is_granted_where_somebody_else_could_change_the_program(door: PrivateRoot, place: str) -> None:
    door.must("chown", "eve", place)
    try:
        done = install(door, "--deployer", "eve")
        assert done.returncode == 1
        assert "others than root can change" in done.stdout
    finally:
        door.must("chown", "root", place)


def test_a_program_of_an_installed_door_is_changed_by_root_alone(door: PrivateRoot) -> None:
    places = f"{TARGET}/ {TARGET}/device/ {TARGET}/.venv/ /etc/voicelatch/ /usr/local/bin/voicelatch"
    asked = f"find {places} -path {TARGET}/models -prune -o ! -type l \\( ! -user root -o -perm /022 \\) -print"
    assert door.must("sh", "-c", asked) == ""


def test_lines_of_the_old_form_go_and_are_shown(door: PrivateRoot) -> None:
    door.must("cp", "-p", SUDOERS, "/srv/shared/sudoers")
    door.write(SUDOERS, f"pi ALL=(voicelatch) NOPASSWD: {PYTHON} -m device recordings *\n", mode="440")
    done = install(door)
    assert done.returncode == 0, done.stdout
    assert "recordings *" in done.stdout
    assert door.run("test", "-e", SUDOERS).returncode == 1
    door.must("cp", "-p", "/srv/shared/sudoers", SUDOERS)


def test_the_command_voicelatch_runs_nothing_of_the_caller_s(door: PrivateRoot) -> None:
    for setting in ("PYTHONPATH=/home/eve/evil", "PYTHONSTARTUP=/home/eve/evil/json.py", "PYTHONHOME=/home/eve/evil"):
        done = door.run("env", setting, "/usr/local/bin/voicelatch", "recordings", "list", folder="/home/eve/evil")
        assert "allowed/Anna" in done.stdout
    assert "usage: voicelatch" in door.must("/usr/local/bin/voicelatch", "--help", folder="/home/eve/evil")
    assert stolen(door) == ""


def test_the_program_is_taken_away_with_what_it_granted() -> None:
    script = (ROOT / "systemd/install.sh").read_text()
    assert "sudoers_remove" in script[script.index("uninstall() {") :]
