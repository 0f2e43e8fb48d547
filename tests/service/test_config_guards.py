"""Button and schedules in the configuration, and what `check` says of them."""

from pathlib import Path

import pytest

from device.errors import ConfigError
from device.service.check import check_all
from device.service.config import read_config
from device.service.schedule import ScheduleConfig

ANNA = '[[schedule]]\nperson = "Anna"\ndays = ["mon"]\nafter = "07:00"\nbefore = "19:30"\n'


def write(tmp_path: Path, models: Path, text: str) -> Path:
    path = tmp_path / "c.toml"
    path.write_text(f'[relay]\npin = 17\n[model]\nallow_unsigned = true\nbundle = "{models}"\n{text}')
    return path


def test_schedules_are_tables_that_may_be_repeated(tmp_path: Path, models: Path) -> None:
    read = read_config(write(tmp_path, models, ANNA + '[[schedule]]\nperson = "Bruno"\n'))
    assert read.schedule == (
        ScheduleConfig(person="Anna", days=("mon",), after="07:00", before="19:30"),
        ScheduleConfig(person="Bruno"),
    )


@pytest.mark.parametrize(
    ("text", "named"),
    [
        (ANNA.replace("days", "dyas"), "schedule[0].dyas: unknown key; did you mean 'days'"),
        (ANNA + '[[schedule]]\ndays = ["mon"]\n', "schedule[1].person: missing"),
        (ANNA.replace("19:30", "half past"), "schedule.before"),
        ("schedule = [1]\n", "schedule[0]: expected a table"),
        ("[button]\nenabled = true\npin = 17\n", "button.pin"),
        ("[policy]\nwait_seconds = 5.0\n", "policy.wait_seconds"),
        ("[policy]\nstrict_llr_margin = 0.0\n", "policy.strict_llr_margin"),
        ("[policy]\nlock_out_seconds = 30.0\n", "policy.lock_out_seconds: unknown key"),
        ("[replay]\nthreshold = 1.0\n", "replay.threshold"),
        ("[privacy]\nkeep_clips = 1\n", "privacy.keep_clips: expected bool"),
    ],
)
def test_a_mistake_is_named_with_its_place(tmp_path: Path, models: Path, text: str, named: str) -> None:
    # A bare key has to stand before the first table.
    path = write(tmp_path, models, text)
    if text.startswith("schedule"):
        path.write_text(text + path.read_text().removesuffix(text))
    with pytest.raises(ConfigError) as caught:
        read_config(path)
    assert named in str(caught.value)


def test_check_says_who_has_hours_and_finds_a_misspelt_name(tmp_path: Path, models: Path) -> None:
    found = {each.part: each for each in check_all(write(tmp_path, models, ANNA), simulate=True)}
    assert found["schedule"].text.startswith("hours for Anna; at any hour: Bruno")
    found = {each.part: each for each in check_all(write(tmp_path, models, ANNA.replace("Anna", "Ana")), simulate=True)}
    assert (found["schedule"].ok, found["schedule"].exit_code) == (False, 78)


def test_check_claims_the_button(tmp_path: Path, models: Path) -> None:
    text = '[button]\nenabled = true\npin_factory = "mock"\n'
    found = {each.part: each for each in check_all(write(tmp_path, models, text), simulate=False)}
    assert found["button"].ok
    assert "pin 27" in found["button"].text
