"""What somebody who stands at the door sees: levels, and what the door would decide."""

import base64
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from device.service import cli, ears
from device.service.config import ModelConfig, PolicyConfig
from device.service.levels_command import Watch
from device.service.levels_view import level_line, levels_table
from device.service.listen_command import Observer, watch_daemon, watch_own
from device.service.listen_view import Listening, decision_line, listening_lines
from device.simulated.clock import ManualClock
from device.simulated.microphone import Segment, SimulatedMicrophone, silence
from device.sound.meter import Levels
from device.sound.pcm import Gap
from device.sound.wavfile import read_wav
from device.terminal.screen import Screen
from device.verdict.values import Outcome
from tests.conftest import ROOT
from tests.doubles import LoudnessDetector, loud, quiet

EVENING = ROOT / "device" / "simulated" / "evening"


def watched(*parts: Segment, seconds: float = 60.0, as_json: bool = False) -> tuple[Watch, list[str]]:
    out, clock = io.StringIO(), ManualClock()
    heard = ears.Ears(SimulatedMicrophone(parts, clock=clock), clock, "a simulated one")
    watch = Watch(heard, LoudnessDetector(), Screen(out=out, live=False), as_json=as_json)
    watch.run(seconds=seconds)
    return watch, out.getvalue().splitlines()


def decision(outcome: str = "refuse", **changes: object) -> dict[str, Any]:
    return {"outcome": outcome, "resident": "Anna", "evidence": -3.0, "clips": 1, "open_llr": 5.0,
            "reason": "like no resident", "scores": {"Anna": -3.0, "Bruno": -7.5}} | changes  # fmt: skip


def test_a_line_a_second_where_there_is_no_terminal() -> None:
    watch, lines = watched(quiet(2.0), loud(2.0))
    assert len(lines) == 4
    assert [("speech" in line) for line in lines] == [False, False, True, True]
    assert watch.loudest_dbfs == pytest.approx(-30.3, abs=0.1)
    assert "never clipped" in watch.told()


def test_it_ends_when_the_time_is_over() -> None:
    _, lines = watched(quiet(60.0), seconds=3.0)
    assert len(lines) == 3


def test_clipping_gaps_and_digital_silence_are_said() -> None:
    watch, lines = watched(np.full(16_000, 32767, dtype=np.int16), Gap("overflow", 0.0), loud(1.0))
    assert watch.clipped
    assert "turn the microphone down" in watch.told()
    assert "sound is missing: overflow" in lines
    mute, _ = watched(quiet(2.0))
    assert "muted" in mute.told()


def test_a_program_gets_one_object_a_second() -> None:
    _, lines = watched(quiet(2.0), loud(1.0), Gap("overflow", 0.0), as_json=True)
    told = [json.loads(line) for line in lines]
    assert told[-1] == {"gap": "overflow"}
    assert [each["speech"] for each in told[:-1]] == [False, False, True]
    assert set(told[0]) == {"level_dbfs", "peak_dbfs", "noise_floor_dbfs", "snr_db", "clipped", "speech"}


def test_no_level_makes_a_line_too_long_for_80_columns() -> None:
    for levels in (Levels(), Levels(level_dbfs=0.0, peak_dbfs=0.0, floor_dbfs=-119.9, snr_db=-19.9, clipped=True)):
        assert len(level_line(levels)) <= 79
    assert levels_table(Levels())["snr_db"] is None


def test_the_levels_command_says_with_its_exit_code_whether_anything_was_heard(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(ears, "open_ears", lambda each, hold: ears.simulated(each.wav, ManualClock()))
    assert cli.main(["levels", "--simulate", "--wav", str(EVENING / "anna.wav")]) == 0
    assert "Loudest" in capsys.readouterr().out
    assert cli.main(["levels", "--simulate"]) == 1
    assert "muted" in capsys.readouterr().out


def test_ctrl_c_ends_it_cleanly(monkeypatch: pytest.MonkeyPatch) -> None:
    class Interrupted(SimulatedMicrophone):
        def read(self):  # type: ignore[no-untyped-def]
            raise KeyboardInterrupt

    def interrupted(_arguments: object, *, hold: bool) -> ears.Ears:
        return ears.Ears(microphone, ManualClock(), "")

    for command in (["levels"], ["listen", "--bundle", "models"], ["record", "Anna"]):
        microphone = Interrupted([], clock=ManualClock())
        monkeypatch.setattr(ears, "open_ears", interrupted)
        assert cli.main([*command, "--simulate"]) == (1 if command == ["levels"] else 0)
        assert microphone.closed


def listened(*parts: Segment, as_json: bool = False, live: bool = False) -> tuple[Observer, str]:
    out, clock = io.StringIO(), ManualClock()
    observer = Observer(Screen(out=out, live=live, columns=80), clock, as_json)
    microphone = SimulatedMicrophone([silence(1.0), *parts, silence(2.0)], clock=clock)
    watch_own(ears.Ears(microphone, clock, ""), observer, ModelConfig(bundle=str(ROOT / "models/demo")), PolicyConfig())
    return observer, out.getvalue()


def test_the_door_s_own_decisions_are_shown_for_residents_and_strangers() -> None:
    observer, said = listened(EVENING / "collector.wav", silence(12.0), EVENING / "anna.wav")
    lines = said.splitlines()
    assert lines[0].startswith("refuses: like no resident")
    assert any(line.startswith("OPENS: sounds like Anna") for line in lines)
    assert observer.seen.decisions == len(lines)
    assert observer.seen.openings >= 1


def test_it_opens_for_nobody_and_asks_for_no_relay(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise AssertionError("a relay was asked for")

    for name in ("make_relay", "release", "click"):
        monkeypatch.setattr(f"device.service.relays.{name}", fail)
    monkeypatch.setattr("device.hardware.guardian_relay.GuardianRelay.__init__", fail)
    monkeypatch.setattr("device.hardware.relay.GpioRelay.__init__", fail)
    monkeypatch.setattr(ears, "open_ears", lambda each, hold: ears.simulated(each.wav, ManualClock()))
    listen = ["listen", "--simulate", "--bundle", str(ROOT / "models/demo"), "--wav", str(EVENING / "anna.wav")]
    assert cli.main(listen) == 0
    assert "OPENS: sounds like Anna" in capsys.readouterr().out


def test_a_gap_is_shown_and_a_program_gets_every_event_but_the_simulated_pulses() -> None:
    _, said = listened(read_wav(EVENING / "anna.wav")[:40_000], Gap("overflow", 0.0))
    assert "sound is missing: overflow" in said
    _, said = listened(EVENING / "anna.wav", as_json=True)
    told = [json.loads(line) for line in said.splitlines()]
    kinds = {each["kind"] for each in told}
    assert {"speech", "decision", "silence"} <= kinds
    assert not kinds & {"relay_on", "relay_off"}
    first = next(each for each in told if each["kind"] == "decision")
    assert set(first["scores"]) == {"Anna", "Bruno", "Clara", "David"}


def test_the_view_shows_each_score_against_the_threshold_within_80_columns() -> None:
    seen = Listening(levels=Levels(), forming_seconds=1.5, decision=decision(), decisions=1)
    lines = listening_lines(seen, 79)
    assert max(map(len, lines)) <= 79
    assert "1.5 of 3 s" in lines[1]
    anna, bruno = (next(line for line in lines if line.startswith(name)) for name in ("Anna", "Bruno"))
    # The threshold is at +5 of -10 to +10, a score at -3.
    assert anna.index("|") == bruno.index("|") == anna.index("[") + 1 + 30
    assert anna.count("#") == 14
    assert bruno.count("#") == 5
    assert "refuses: like no resident (1 clip)" in lines
    assert "nothing was judged yet" in "\n".join(listening_lines(Listening(levels=Levels()), 79))


def test_a_threshold_beyond_the_scale_widens_it() -> None:
    line = listening_lines(Listening(levels=Levels(), decision=decision(open_llr=16.0, scores={"Anna": 17.0})), 79)[3]
    assert line.index("|") < line.index("]")
    assert line.index("|") > line.index("[") + 30


def test_a_big_household_does_not_scroll_and_a_name_cannot_move_the_cursor() -> None:
    many = {f"Person {number} \x1b[2J": float(number) for number in range(40)}
    lines = listening_lines(Listening(levels=Levels(), decision=decision(scores=many)), 79)
    assert len(lines) <= 22
    assert "and 28 more" in "\n".join(lines)
    assert "\x1b" not in "".join(lines)


def test_every_outcome_has_words() -> None:
    for outcome in Outcome:
        assert not decision_line(decision(outcome.value)).startswith(outcome.value + ":")


def test_a_running_daemon_s_decisions_are_shown_as_it_tells_them() -> None:
    def messages() -> Iterator[dict[str, Any]]:
        samples = base64.b64encode(loud(0.02).astype("<i2").tobytes()).decode()
        yield {"kind": "audio", "number": 0, "at_seconds": 1.0, "speech": True, "samples": samples}
        yield {"kind": "level", "clip_seconds": 2.5}
        yield {"kind": "audio_gap", "number": 1}
        yield {"kind": "status"}
        yield {"kind": "event", "event": {"kind": "decision", "time": "2026-11-24T20:00:00", **decision("held")}}
        yield {"kind": "event", "event": {"kind": "relay_on", "resident": "Anna"}}

    out = io.StringIO()
    observer = Observer(Screen(out=out, live=False), ManualClock(), False)
    watch_daemon(messages(), observer)
    assert out.getvalue() == "held for a recording: like no resident (1 clip)\n"
    assert observer.seen.forming_seconds == 2.5
    assert observer.seen.levels.speech
    assert (observer.seen.decisions, observer.seen.openings) == (1, 0)


def test_a_bundle_that_is_not_fit_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["listen", "--simulate", "--bundle", str(tmp_path)]) == 65
    assert "next:" in capsys.readouterr().err
