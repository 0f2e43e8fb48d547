"""``install.sh`` over what it finds: an environment not right, an upgrade that would be refused, planted links."""

from collections.abc import Iterator

import pytest

from tests.benches import private_root
from tests.benches.installed import CONFIG, PYTHON, TARGET, install, installed, stolen, write_maker
from tests.benches.private_root import PrivateRoot

WHY_NOT = private_root.why_not()
pytestmark = pytest.mark.skipif(WHY_NOT is not None, reason=WHY_NOT or "")
DEMO = f"{TARGET}/models/demo"
KEY, TRUSTED = "/etc/voicelatch/signing/door.key", "/etc/voicelatch/trusted_keys"
CHECK = ("/usr/local/bin/voicelatch", "check", "--config", CONFIG, "--simulate")


@pytest.fixture(scope="module")
def door() -> Iterator[PrivateRoot]:
    with installed() as root:
        yield root


@pytest.fixture
def another_program(door: PrivateRoot) -> Iterator[None]:
    """The installed program is another than the checkout's, so that there is something to replace."""
    door.must("sh", "-c", f"echo '# the old one' >> {TARGET}/device/errors.py")
    yield
    assert install(door).returncode == 0
    assert not is_old(door)


def is_old(door: PrivateRoot) -> bool:
    return "# the old one" in door.must("tail", "-n", "1", f"{TARGET}/device/errors.py")


def test_a_second_run_changes_nothing_that_is_right(door: PrivateRoot) -> None:
    install(door)
    before = door.must("find", TARGET, "/etc/voicelatch", "-mindepth", "1", "-printf", "%p %l %T@ %m %u %g\n")
    done = install(door)
    assert done.returncode == 0
    assert "wrote" not in done.stdout
    assert "made" not in done.stdout
    assert door.must("find", TARGET, "/etc/voicelatch", "-mindepth", "1", "-printf", "%p %l %T@ %m %u %g\n") == before


def test_the_folder_of_whoever_installs_has_no_say_in_what_root_runs(door: PrivateRoot) -> None:
    done = install(door, folder="/home/eve/evil")
    assert done.returncode == 0, done.stdout
    assert stolen(door) == ""


@pytest.mark.parametrize(
    ("name", "spoil"),
    [
        ("its interpreter is gone", "ln -sfn /nonexistent .venv/bin/python"),
        ("it is of another Python", "mv .venv/lib/python3.* .venv/lib/python3.1"),
        ("it has no pip", "rm .venv/lib/python3*/site-packages/libraries.pth"),
        ("it was never finished", "rm -rf .venv/bin .venv/pyvenv.cfg"),
        ("it is empty", "rm -rf .venv/ .venv; mkdir .venv"),
        ("it is a link to nowhere", "rm -rf .venv; ln -s .venv-gone .venv"),
        ("it was made by hand, not by the script", "rm -rf .venv; mkdir .venv; touch .venv/README"),
    ],
)
def test_an_environment_is_made_anew_where(door: PrivateRoot, name: str, spoil: str) -> None:
    door.must("sh", "-c", spoil, folder=TARGET)
    done = install(door)
    assert done.returncode == 0, f"{name}\n{done.stdout}"
    assert "made       an environment" in done.stdout
    door.must(PYTHON, "-I", "-c", "import numpy, device.service.cli")
    assert len(door.must("sh", "-c", "ls -d .venv-*", folder=TARGET).splitlines()) == 1, "the old one is left behind"


def test_where_no_new_environment_can_be_made_what_was_there_stays(door: PrivateRoot) -> None:
    before = door.must("readlink", f"{TARGET}/.venv")
    door.must("sh", "-c", "mv .venv/pyvenv.cfg /srv/shared/", folder=TARGET)
    write_maker(door, libraries=False)
    done = install(door)
    write_maker(door)
    assert done.returncode == 1
    assert "what was there before is as it was" in done.stdout
    assert door.must("readlink", f"{TARGET}/.venv") == before
    door.must("sh", "-c", "mv /srv/shared/pyvenv.cfg .venv/", folder=TARGET)
    assert install(door).returncode == 0


@pytest.mark.usefixtures("another_program")
def test_a_new_program_takes_the_place_of_the_old_one_and_leaves_nothing_behind(door: PrivateRoot) -> None:
    assert is_old(door)
    done = install(door)
    assert done.returncode == 0, done.stdout
    assert "examined" in done.stdout
    assert not is_old(door)
    assert len(door.must("sh", "-c", "ls -d .program-*", folder=TARGET).splitlines()) == 1


@pytest.mark.usefixtures("another_program")
@pytest.mark.parametrize(
    ("name", "spoil", "mend", "reason"),
    [
        ("a configuration it does not understand", f"sed -i 's/^pin = 17/pin = 177/' {CONFIG}",
         f"sed -i 's/^pin = 177/pin = 17/' {CONFIG}", "pin"),
        ("a key it does not know", f"echo '[polcy]' >> {CONFIG}", f"sed -i '/polcy/d' {CONFIG}", "polcy"),
        ("a bundle that was cut short", f"truncate -s -1 {DEMO}/head.npz",
         f"cp /srv/checkout/models/demo/head.npz {DEMO}/head.npz", "head.npz"),
        ("a bundle nobody signed", f"mv {DEMO}/SIGNATURE /srv/; mv {DEMO} {TARGET}/models/mine; "
         f"echo mine > {TARGET}/models/current", f"mv /srv/SIGNATURE {TARGET}/models/mine/; rm -rf {DEMO}; "
         f"mv {TARGET}/models/mine {DEMO}; echo demo > {TARGET}/models/current", "sign"),
        ("a pointer to a bundle that is not there", f"echo absent > {TARGET}/models/current",
         f"echo demo > {TARGET}/models/current", "pointer"),
    ],
)  # fmt: skip
def test_the_old_program_serves_on_where_the_new_one_would_refuse(
    door: PrivateRoot, name: str, spoil: str, mend: str, reason: str
) -> None:
    door.must("sh", "-c", spoil)
    before = door.must("sh", "-c", "readlink device .venv; cat /etc/systemd/system/voicelatch.service", folder=TARGET)
    done = install(door)
    after = door.must("sh", "-c", "readlink device .venv; cat /etc/systemd/system/voicelatch.service", folder=TARGET)
    old = is_old(door)
    door.must("sh", "-c", mend)
    assert done.returncode == 1, f"{name}\n{done.stdout}"
    assert "the old program serves on" in done.stdout
    assert reason in done.stdout[done.stdout.index("REFUSED") :]
    assert (old, after) == (True, before)
    assert len(door.must("sh", "-c", "ls -d .program-*", folder=TARGET).splitlines()) == 1


@pytest.mark.usefixtures("another_program")
def test_a_mistake_in_what_stands_around_the_door_holds_no_upgrade_up(door: PrivateRoot) -> None:
    door.must("cp", CONFIG, "/srv/shared/config")
    to_nowhere = "s/^enabled = false/enabled = true/;s/^host = .*/host = 'absent.invalid'/"
    door.must("sed", "-i", f"/^\\[mqtt\\]/,/^host/{{{to_nowhere}}}", CONFIG)
    done = install(door)
    door.must("cp", "/srv/shared/config", CONFIG)
    assert done.returncode == 0, done.stdout


def test_an_unsigned_bundle_is_refused_and_the_shipped_one_is_signed_by_this_door_s_key(door: PrivateRoot) -> None:
    assert "signed by" in door.must(*CHECK)
    assert door.must("stat", "-c", "%U %a", KEY, "/etc/voicelatch/signing", TRUSTED).split("\n")[:3] == [
        "root 600", "root 700", "root 644"
    ]  # fmt: skip
    assert "Permission denied" in door.run("cat", KEY, user="voicelatch").stdout
    door.must("mv", f"{TARGET}/models/demo/SIGNATURE", "/srv/")
    done = door.run(*CHECK)
    door.must("mv", "/srv/SIGNATURE", f"{TARGET}/models/demo/SIGNATURE")
    assert done.returncode == 65
    assert "FAILED bundle" in done.stdout


def test_a_shipped_bundle_from_before_there_were_keys_is_signed_and_no_key_is_made_anew(door: PrivateRoot) -> None:
    before = door.must("sha256sum", KEY, TRUSTED)
    door.must("rm", f"{TARGET}/models/demo/SIGNATURE")
    done = install(door)
    assert done.returncode == 0, done.stdout
    assert "wrote      models/demo, signed" in done.stdout
    assert door.must("sha256sum", KEY, TRUSTED) == before
    assert "signed by" in door.must(*CHECK)


def test_links_that_a_deployer_plants_give_away_nothing_of_root_s(door: PrivateRoot) -> None:
    door.must("install", "-d", "-m", "700", "/root/private")
    door.must("install", "-m", "600", "/dev/null", "/root/private/secret")
    before = door.must("stat", "-c", "%U %G %a", "/root/private", "/root/private/secret", "/etc/shadow")
    deployer = ("setpriv", "--reuid=eve", "--regid=eve", "--groups=voicelatch-models", "sh", "-c")
    door.must(*deployer, "mkdir bundle && ln -s /root/private folder && ln -s /root/private/secret bundle/link && "
              "ln -s /etc/shadow demo.new && ln -s /etc/shadow current.new && ln -s /root/private .demo.new",
              folder=f"{TARGET}/models")  # fmt: skip
    done = install(door)
    assert done.returncode == 0, done.stdout
    assert door.must("stat", "-c", "%U %G %a", "/root/private", "/root/private/secret", "/etc/shadow") == before
    assert door.must("stat", "-c", "%G %a", f"{TARGET}/models/bundle").strip() == "voicelatch-models 2770"
    door.must("sh", "-c", "rm -rf bundle folder demo.new current.new .demo.new", folder=f"{TARGET}/models")


@pytest.mark.parametrize("named", ["household", "../demo", "absent"])
def test_what_the_checkout_s_pointer_names_is_there_afterwards(named: str) -> None:
    with private_root.private_root() as root:
        write_maker(root)
        root.must("mkdir", "-p", "/srv/mine/models")
        root.must("sh", "-c", "cp -r device systemd requirements-*.txt README.md /srv/mine/", folder="/srv/checkout")
        root.must("cp", "-r", "/srv/checkout/models/demo", "/srv/mine/models/demo")
        root.must("cp", "-r", "/srv/checkout/models/demo", "/srv/mine/models/household")
        root.write("/srv/mine/models/current", f"{named}\n")
        done = install(root, checkout="/srv/mine")
        assert done.returncode == 0, done.stdout
        expected = "household" if named == "household" else "demo"
        assert root.must("cat", f"{TARGET}/models/current").strip() == expected
        assert (f"names '{named}', which is no bundle there" in done.stdout) == (named != "household")
        assert "signed by" in root.must(*CHECK)
        removed = root.must("bash", "/srv/mine/systemd/install.sh", "--uninstall", "--purge")
        assert "removed" in removed
        places = "/opt/voicelatch /etc/voicelatch /etc/sudoers.d/voicelatch /usr/local/bin/voicelatch"
        left = root.run("sh", "-c", f"ls -d {places}")
        assert left.stdout.count("No such file") == 4
