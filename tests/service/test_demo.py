"""The demo's last line is earned."""

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from device.errors import ConfigError
from device.service.daemon import Hardware
from device.service.demo import EVENING, Visit, play, read_evening
from device.service.pipeline import Door
from device.sound.segmenter import Segmenter, SegmenterSpec
from device.verdict.policy import PolicySpec
from tests.conftest import ROOT
from tests.doubles import LoudnessDetector, ScriptedScorer, loud


def evening(script: list[float], *expected: tuple[str, ...]) -> tuple[int, str]:
    lines: list[str] = []

    def make(hardware: Hardware) -> Door:
        return Door(
            microphone=hardware.microphone, detector=_Deaf(), segmenter=Segmenter(SegmenterSpec()),
            scorer=ScriptedScorer(script), policy=PolicySpec(open_llr=5.0, refuse_llr=-2.0), relay=hardware.relay,
            clock=hardware.clock, events=hardware.events, open_seconds=3.0,
        )  # fmt: skip

    visits = [Visit(f"visit {count}", loud(3.2), names) for count, names in enumerate(expected)]
    return play(visits, make, lines.append), "\n".join(lines)


class _Deaf(LoudnessDetector):
    """Does not hear the murmur between the visits."""

    def is_speech(self, frame: object) -> bool:
        return bool(np.abs(frame.samples).mean() > 500)  # type: ignore[attr-defined]


def test_visits_that_go_as_expected_are_counted() -> None:
    good, said = evening([9.0, -5.0], ("Anna",), ())
    assert good == 2
    for part in ("speech heard", "Anna +9.0", "OPEN", "relay ON", "relay off", "REFUSE"):
        assert part in said


@pytest.mark.parametrize("expected", [((), ()), (("Bruno",), ()), (("Anna",), ("Anna",)), (("Anna", "Anna"), ())])
def test_a_visit_that_does_not_is_not_counted(expected: tuple[tuple[str, ...], ...]) -> None:
    good, said = evening([9.0, -5.0], *expected)
    assert good == 1
    assert "NOT as expected" in said


def test_the_shipped_evening_goes_as_expected_on_the_shipped_bundle() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "device", "demo"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    last = done.stdout.splitlines()[-1]
    found = re.fullmatch(r"(\d+) visits, (\d+) as expected", last)
    assert found is not None
    assert found[1] == found[2] == str(len(read_evening(EVENING)))
    assert done.returncode == 0


def test_a_wrong_expectation_makes_the_demo_fail(tmp_path: Path) -> None:
    sound = EVENING.parent / "anna.wav"
    (tmp_path / "e.toml").write_text(f'[[visit]]\nfile = "{sound}"\ntitle = "Anna"\nexpected = []\n')
    command = [sys.executable, "-m", "device", "demo", "--evening", str(tmp_path / "e.toml")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.stdout.splitlines()[-1] == "1 visits, 0 as expected"
    assert done.returncode == 1


def test_an_evening_without_visits_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "e.toml").write_text("")
    with pytest.raises(ConfigError, match="no visits"):
        read_evening(tmp_path / "e.toml")
