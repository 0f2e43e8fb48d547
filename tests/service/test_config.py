"""The configuration is strict and says everything that is wrong at once."""

from pathlib import Path

import pytest

from device.errors import ConfigError
from device.service.config import Config, PolicyConfig, policy_for, read_config
from device.verdict.bundle import load_bundle
from tests.conftest import ROOT

GOOD = '[relay]\npin = 17\n[model]\nbundle = "models"\n'


def write(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "c.toml"
    path.write_text(text)
    return path


def test_the_shipped_example_is_valid_and_shows_the_defaults(tmp_path: Path) -> None:
    shipped = read_config(ROOT / "systemd/voicelatch.toml")
    assert shipped == read_config(write(tmp_path, GOOD))


def test_every_key_stands_in_the_shipped_example() -> None:
    text = (ROOT / "systemd/voicelatch.toml").read_text()
    for section in Config.__dataclass_fields__.values():
        kind = str(section.type)
        assert f"[{section.name}]" in text
        from device.service import config

        # Tables that may be repeated, or left out, stand there as comments.
        repeated = kind.startswith("tuple[")
        name = kind.removeprefix("tuple[").removesuffix(", ...]")
        for key in getattr(config, name).__dataclass_fields__:
            assert f"\n{'# ' if repeated else ''}{key} = " in text, key


def test_all_problems_are_in_one_report_with_suggestions(tmp_path: Path) -> None:
    text = '[relay]\npinn = 17\nopen_seconds = 99\nactive_high = "yes"\n[modle]\n[policy]\nwait_seconds = 0.5\n'
    with pytest.raises(ConfigError) as caught:
        read_config(write(tmp_path, text))
    message = str(caught.value)
    for part in ("did you mean 'pin'", "active_high: expected bool", "did you mean 'model'", "relay.pin: missing",
                 "model: missing", "policy.wait_seconds"):  # fmt: skip
        assert part in message
    assert caught.value.exit_code == 78


@pytest.mark.parametrize(
    ("line", "named"),
    [
        ("[relay]\npin = 40", "relay.pin"),
        ("[relay]\npin = true", "expected int"),
        ("[relay]\npin = 17\nopen_seconds = 0.0", "relay.open_seconds"),
        ('[relay]\npin = 17\npin_factory = "lgpoi"', "did you mean 'lgpio'"),
        ('[relay]\npin = 17\nguardian = "relay.sock"', "relay.guardian"),
        ('[relay]\npin = 17\npin_factory = "native"', "relay.pin_factory"),
        ("[relay]\npin = 17\nopen_seconds = 5.0\nmax_on_seconds = 4.0", "relay.open_seconds"),
        ("[relay]\npin = 17\nmax_on_seconds = 31.0", "relay.max_on_seconds"),
        ("[relay]\npin = 17\nmin_gap_seconds = -1.0", "relay.min_gap_seconds"),
        ("[relay]\npin = 17\nopen_seconds = 4.5", "policy.cool_down_seconds"),
    ],
)
def test_a_value_out_of_range_names_its_key(tmp_path: Path, line: str, named: str) -> None:
    with pytest.raises(ConfigError, match=named):
        read_config(write(tmp_path, f'{line}\n[model]\nbundle = "models"\n'))


@pytest.mark.parametrize("line", ["open_seconds = 9.0", 'pin_factory = "native"'])
def test_a_daemon_that_drives_the_pin_itself_has_no_guardian_s_limits(tmp_path: Path, line: str) -> None:
    text = f'[relay]\npin = 17\nguardian = ""\n{line}\n[model]\nbundle = "models"\n'
    assert read_config(write(tmp_path, text)).relay.guardian == ""


def test_a_missing_or_broken_file_is_a_clear_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no such file"):
        read_config(tmp_path / "absent.toml")
    with pytest.raises(ConfigError, match="TOML"):
        read_config(write(tmp_path, "[relay"))


def test_the_device_can_only_be_stricter_than_the_bundle(models: Path) -> None:
    bundle = load_bundle(models)
    assert policy_for(bundle, PolicyConfig(extra_llr_margin=2.0)).open_llr == bundle.thresholds.open_llr + 2.0
    with pytest.raises(ConfigError, match="extra_llr_margin"):
        PolicyConfig(extra_llr_margin=-1.0)
