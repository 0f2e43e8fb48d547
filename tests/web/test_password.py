"""The page's password: only its hash is kept, for its owner alone, and whatever is wrong with it lets nobody in."""

import os
import stat
from pathlib import Path

import pytest

from device.errors import ConfigError, StateError
from device.web.password import PasswordHash, hash_password, read_password, write_password
from tests.web.world import HASH, PASSWORD


def test_the_password_is_known_again_and_no_other_is() -> None:
    assert HASH.matches(PASSWORD)
    for other in ("", PASSWORD.upper(), PASSWORD + " ", PASSWORD[:-1], "\ud800"):
        assert not HASH.matches(other)


def test_the_line_does_not_tell_the_password_and_is_another_each_time() -> None:
    assert PASSWORD not in HASH.line
    assert hash_password(PASSWORD).line != HASH.line


def test_one_word_typed_in_two_ways_is_one_password() -> None:
    assert hash_password("Türöffner am Haus").matches("Tu\u0308ro\u0308ffner am Haus")


@pytest.mark.parametrize("password", ["", "nine char", "x" * 1025])
def test_a_password_that_is_guessed_too_easily_or_is_endless_is_refused(password: str) -> None:
    with pytest.raises(ConfigError, match="at least 10 characters"):
        hash_password(password)


def test_the_file_is_its_owners_alone_and_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "web-password"
    path.write_text("something older")
    path.chmod(0o644)
    write_password(path, HASH)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert read_password(path) == HASH
    assert [each.name for each in tmp_path.iterdir()] == ["web-password"]


def test_a_file_that_others_may_read_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "web-password"
    write_password(path, HASH)
    path.chmod(0o640)
    with pytest.raises(ConfigError, match="others on this machine"):
        read_password(path)


def test_no_link_is_followed_whoever_put_it_there(tmp_path: Path) -> None:
    secret, folder = tmp_path / "secret", tmp_path / "state"
    secret.write_text(HASH.line + "\n")
    secret.chmod(0o600)
    folder.mkdir()
    for name in ("web-password", ".web-password.new"):
        (folder / name).symlink_to(secret)
    with pytest.raises(ConfigError, match="cannot be read"):
        read_password(folder / "web-password")
    other = hash_password("another battery staple")
    write_password(folder / "web-password", other)
    assert secret.read_text() == HASH.line + "\n", "what root writes went through a link"
    assert read_password(folder / "web-password") == other
    (tmp_path / "link").symlink_to(folder)
    with pytest.raises(StateError):
        write_password(tmp_path / "link" / "web-password", other)


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "web-password", 0o600)
    with pytest.raises(ConfigError, match="not a file"):
        read_password(tmp_path / "web-password")


def test_without_a_file_it_is_said_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="voicelatch web password"):
        read_password(tmp_path / "web-password")
    with pytest.raises(StateError, match="voicelatch web password"):
        write_password(tmp_path / "nowhere" / "web-password", HASH)


DAMAGED = {
    "empty": "", "the password itself": PASSWORD, "cut short": HASH.line[:-1], "twice": HASH.line + "\n" + HASH.line,
    "another method": HASH.line.replace("scrypt", "md5"), "too costly": HASH.line.replace(":32768:", ":16777216:"),
    "too cheap": HASH.line.replace(":32768:", ":2:"), "not ASCII": "ü" * 80,
}  # fmt: skip


@pytest.mark.parametrize("line", DAMAGED.values(), ids=DAMAGED)
def test_a_damaged_file_is_refused_and_costs_no_memory(tmp_path: Path, line: str) -> None:
    path = tmp_path / "web-password"
    path.write_text(line, encoding="utf-8")
    path.chmod(0o600)
    with pytest.raises(ConfigError, match="voicelatch web password"):
        read_password(path)
    with pytest.raises(ConfigError):
        PasswordHash(line)
