"""A button or a light needs rights that the bare unit has not: `check` finds whether the installed unit has them."""

import shutil
from pathlib import Path

import pytest

from device.errors import ConfigError
from device.service import check
from device.service.unit_rights import UNIT, pins_within_reach
from tests.conftest import ROOT

DROP_IN = ROOT / "systemd/voicelatch.service.d/pins.conf"


@pytest.fixture
def folders(tmp_path: Path) -> list[Path]:
    """Where units are looked for: the user's folder first, with the shipped unit, then the system's."""
    made = [tmp_path / "etc", tmp_path / "lib"]
    for each in made:
        each.mkdir()
    shutil.copy(ROOT / "systemd" / UNIT, made[0])
    return made


def drop_in(folder: Path, name: str, text: str) -> None:
    (folder / f"{UNIT}.d").mkdir(exist_ok=True)
    (folder / f"{UNIT}.d" / name).write_text(text)


def test_the_bare_unit_lacks_the_rights_and_is_told_what_to_do(folders: list[Path]) -> None:
    with pytest.raises(ConfigError, match=r"install\.sh") as caught:
        pins_within_reach(folders)
    assert "SupplementaryGroups=gpio and no DeviceAllow=char-gpiochip" in str(caught.value)


def test_the_shipped_drop_in_gives_them(folders: list[Path]) -> None:
    drop_in(folders[0], "pins.conf", DROP_IN.read_text())
    assert pins_within_reach(folders) == f"{UNIT} may reach the pins"


def test_half_of_them_is_not_enough(folders: list[Path]) -> None:
    drop_in(folders[0], "mine.conf", "[Service]\nSupplementaryGroups=gpio\n")
    with pytest.raises(ConfigError, match="no DeviceAllow=char-gpiochip"):
        pins_within_reach(folders)


def test_a_later_drop_in_may_take_them_away(folders: list[Path]) -> None:
    drop_in(folders[0], "pins.conf", DROP_IN.read_text())
    drop_in(folders[1], "z.conf", "[Service]\nDeviceAllow=\nDeviceAllow=char-alsa rw\n")
    with pytest.raises(ConfigError, match="char-gpiochip"):
        pins_within_reach(folders)


def test_a_drop_in_of_the_same_name_nearer_to_the_user_hides_the_other(folders: list[Path]) -> None:
    drop_in(folders[1], "pins.conf", DROP_IN.read_text())
    drop_in(folders[0], "pins.conf", "[Service]\n")
    with pytest.raises(ConfigError):
        pins_within_reach(folders)


def test_where_no_unit_is_installed_nothing_is_claimed(tmp_path: Path) -> None:
    assert "not installed" in pins_within_reach([tmp_path])


def test_check_reports_the_unit_beside_the_button(
    tmp_path: Path, folders: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(check, "pins_within_reach", lambda: pins_within_reach(folders))
    config = tmp_path / "voicelatch.toml"
    config.write_text(
        '[relay]\npin = 17\npin_factory = "mock"\n[button]\nenabled = true\npin_factory = "mock"\n'
        f'[model]\nbundle = "{ROOT / "models"}"\n'
    )
    found = {each.part: each for each in check.check_all(config, simulate=False)}
    assert found["button"].ok
    assert (found["unit"].ok, found["unit"].exit_code) == (False, ConfigError.exit_code)
