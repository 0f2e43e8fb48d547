"""A models folder that somebody else can write leads to nothing outside it: no link is followed, nothing is waited for,
and no message holds what a file held that was not verified."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from device.errors import VoicelatchError
from device.service.check import check_bundle
from device.service.trust import Trust
from device.service.verified import UNSIGNED, use_bundle, verify
from device.verdict.bundle import POINTER, REQUIRED, SUMS, load_bundle, point_current, resolve_current
from device.verdict.files import SIGNATURE
from device.verdict.signature import PublicKey
from device.verdict.signing import make_key, read_signer, sign_bundle

SECRET = "scrypt:32768:8:1:QWJjZGVmZ2hpamtsbW5v:c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0czE="
KEY = PublicKey(bytes(range(32)))
# A hash alone, one that could be a folder's name, lines of JSON and of sums, a line that looks like a signature's.
CONTENTS = (f"{SECRET}\n", "hunter2-is-my-password\n", f'{{"password": "{SECRET}"}}', f"{'0' * 64}  {SECRET}\n",
            f"voicelatch-signature {SECRET}\n", "hunter2 " * 40_000)  # fmt: skip


@pytest.fixture
def shelf(tmp_path: Path, models: Path) -> Path:
    shutil.copytree(models / "demo", tmp_path / "models/demo")
    (tmp_path / "models/current").write_text("demo\n")
    return tmp_path / "models"


def everything_said(shelf: Path) -> str:
    """All that loading, checking and using says of this shelf; at least one of them refuses."""
    said = [each.text for each in check_bundle(shelf)]
    refused = 0
    for action in (
        lambda: load_bundle(shelf),
        lambda: load_bundle(shelf, keys=(KEY,)),
        lambda: verify(shelf, trust=UNSIGNED),
        lambda: verify(shelf, trust=Trust(keys=(KEY,))),
        lambda: load_bundle(shelf / "demo"),
    ):
        try:
            action()
        except VoicelatchError as error:
            refused += 1
            said.append(str(error))
    assert refused
    return "\n".join(said)


@pytest.mark.parametrize("content", CONTENTS)
@pytest.mark.parametrize("name", [POINTER, f"demo/{SUMS}", f"demo/{SIGNATURE}", *(f"demo/{each}" for each in REQUIRED)])
def test_a_link_to_a_secret_is_refused_and_the_secret_is_in_no_message(
    shelf: Path, tmp_path: Path, name: str, content: str
) -> None:
    secret = tmp_path / "secret"
    secret.write_text(content)
    (shelf / name).unlink(missing_ok=True)
    (shelf / name).symlink_to(secret)
    said = everything_said(shelf)
    # Found by its kind, and not by what was read through it.
    assert "a symbolic link, not a regular file" in said
    for part in ("QWJj", "c2Vj", "scrypt", "hunter2"):
        assert part not in said


@pytest.mark.parametrize("content", CONTENTS)
@pytest.mark.parametrize("name", [POINTER, f"demo/{SUMS}", f"demo/{SIGNATURE}", *(f"demo/{each}" for each in REQUIRED)])
def test_not_even_a_regular_file_is_repeated_as_another_name_of_a_secret_would_be(
    shelf: Path, name: str, content: str
) -> None:
    (shelf / name).unlink(missing_ok=True)
    (shelf / name).write_text(content)
    said = everything_said(shelf)
    for part in ("QWJj", "c2Vj", "scrypt", "hunter2"):
        assert part not in said


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir, lambda path: os.mknod(path, 0o666 | 0o020000, os.makedev(1, 5))])
@pytest.mark.parametrize("name", [POINTER, f"demo/{SUMS}", f"demo/{SIGNATURE}", *(f"demo/{each}" for each in REQUIRED)])
def test_a_pipe_a_folder_and_a_device_are_refused_and_never_waited_for(
    shelf: Path, name: str, make: Callable[[Path], None]
) -> None:
    (shelf / name).unlink(missing_ok=True)
    try:
        make(shelf / name)
    except PermissionError:
        pytest.skip("only root makes devices")
    said = everything_said(shelf)
    assert any(kind in said for kind in ("named pipe", "a folder", "a device"))


def test_a_bundle_s_folder_that_is_a_link_is_refused_however_it_is_named(shelf: Path, tmp_path: Path) -> None:
    outside = Path(shutil.move(shelf / "demo", tmp_path / "outside"))
    (shelf / "demo").symlink_to(outside)
    for path in (shelf, shelf / "demo", shelf / POINTER):
        with pytest.raises(VoicelatchError, match="link"):
            load_bundle(path)
    with pytest.raises(VoicelatchError, match="link"):
        use_bundle(shelf, "demo")


def test_a_models_folder_may_be_reached_by_a_link_of_its_administrator(shelf: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(shelf)
    assert load_bundle(tmp_path / "link").name == "demo"


def test_a_link_in_the_pointer_s_place_is_replaced_and_what_it_led_to_is_neither_said_nor_touched(
    shelf: Path, tmp_path: Path
) -> None:
    secret = tmp_path / "secret"
    secret.write_text("hunter2\n")
    (shelf / POINTER).unlink()
    for name in (POINTER, f".{POINTER}.new"):
        (shelf / name).symlink_to(secret)
    used = use_bundle(shelf, "demo")
    assert (used.previous, used.current) == ("", "demo")
    assert secret.read_text() == "hunter2\n"
    assert not (shelf / POINTER).is_symlink()
    assert resolve_current(shelf) == shelf / "demo"


def test_signing_follows_no_link_either(shelf: Path, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("hunter2\n")
    make_key(tmp_path / "key", name="ours")
    for name in (SIGNATURE, f".demo.{SIGNATURE}.new"):
        (shelf / "demo" / name if name == SIGNATURE else shelf / name).symlink_to(secret)
    with pytest.raises(VoicelatchError, match="link"):
        sign_bundle(shelf, read_signer(tmp_path / "key"))
    (shelf / "demo" / SIGNATURE).unlink()
    sign_bundle(shelf, read_signer(tmp_path / "key"))
    assert secret.read_text() == "hunter2\n"


def test_the_pointer_is_exchanged_whole(shelf: Path) -> None:
    shutil.copytree(shelf / "demo", shelf / "next")
    before = os.stat(shelf / POINTER).st_ino
    point_current(shelf, "next")
    assert os.stat(shelf / POINTER).st_ino != before
    assert sorted(each.name for each in shelf.iterdir()) == ["current", "demo", "next"]
