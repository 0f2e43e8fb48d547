"""Enrolling somebody at the door: what is kept, what is refused, where it lies, who has how much."""

import argparse
import io
import json
import os
import stat
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from device.enrolment.prompts import prompts_for
from device.errors import AudioFormatError, DataError, StateError
from device.service import cli, ears
from device.service.privacy import files_of
from device.service.record import MOST_TRIES, Session
from device.service.record_command import make_session, status_lines
from device.service.record_view import JsonDisplay, TerminalDisplay, session_lines
from device.service.recordings import Shelf, check_person
from device.simulated.clock import ManualClock
from device.simulated.microphone import Segment, SimulatedMicrophone, silence
from device.sound.pcm import Gap, Samples
from device.sound.wavfile import read_wav, write_wav
from device.terminal.screen import Screen
from tests.conftest import ROOT
from training.corpus.index import index_folder

EVENING = ROOT / "device" / "simulated" / "evening"
ANNA = EVENING / "anna.wav"
ONE, TWO = datetime(2026, 11, 23, 20, 0, tzinfo=UTC), datetime(2026, 11, 24, 8, 0, tzinfo=UTC)


def clipped() -> Samples:
    return np.clip(8 * read_wav(ANNA).astype(np.int32), -32768, 32767).astype(np.int16)


def session(
    state: Path, *parts: Segment, now: datetime = ONE, seconds: float = 60.0, live: bool = False, json: bool = False,
    role: str = "allowed", person: str = "Anna",
) -> tuple[Session, io.StringIO]:  # fmt: skip
    out, clock = io.StringIO(), ManualClock(wall_start=now)
    screen = Screen(out=out, live=live, columns=80)
    heard = [each for part in parts for each in (part, silence(2.0))]
    made = make_session(
        ears.Ears(SimulatedMicrophone([silence(1.0), *heard], clock=clock), clock, "a simulated one"), Shelf(state),
        role, person, JsonDisplay(screen) if json else TerminalDisplay(screen),  # type: ignore[arg-type]
        target_seconds=seconds, now=now,
    )  # fmt: skip
    made.hold()
    return made, out


def test_good_takes_are_kept_in_the_layout_that_training_reads(tmp_path: Path) -> None:
    held, _ = session(tmp_path, ANNA, EVENING / "bruno.wav")
    assert (held.kept, held.refused) == (2, 0)
    index = index_folder(tmp_path / "recordings")
    assert [each.path for each in index.recordings] == [
        "allowed/Anna/2026-11-23/01.wav", "allowed/Anna/2026-11-23/02.wav"
    ]  # fmt: skip
    assert {(each.speaker, each.session) for each in index.recordings} == {("Anna", "2026-11-23")}
    # Door and workshop count the same speech.
    assert sum(each.speech_seconds for each in index.recordings) == pytest.approx(held.today_seconds)


def test_a_clipped_take_is_refused_with_the_reason_and_nothing_of_it_is_written(tmp_path: Path) -> None:
    held, out = session(tmp_path, clipped())
    assert (held.kept, held.refused) == (0, 1)
    assert "refused, clipped" in out.getvalue()
    assert "turn the microphone down" in out.getvalue()
    assert not list(tmp_path.rglob("*.wav"))


def test_the_same_sentence_is_asked_for_again_a_few_times_and_then_the_next(tmp_path: Path) -> None:
    held, out = session(tmp_path, *[clipped()] * MOST_TRIES, ANNA)
    asked = [line for line in out.getvalue().splitlines() if line.startswith("please say")]
    assert (held.kept, held.refused) == (1, MOST_TRIES)
    assert [prompt.text in line for prompt, line in zip(prompts_for(0), asked, strict=False)] == [True] * len(asked)
    assert len(asked) == 3


def test_it_ends_by_itself_when_there_is_enough_for_today(tmp_path: Path) -> None:
    held, _ = session(tmp_path, *[ANNA] * 5, seconds=20.0)
    assert held.enough
    assert held.kept == 3


def test_a_second_session_of_the_day_goes_on_where_the_first_ended_and_another_day_is_another_session(
    tmp_path: Path,
) -> None:
    first, _ = session(tmp_path, ANNA)
    again, out = session(tmp_path, ANNA)
    assert again.today_seconds == pytest.approx(2 * first.today_seconds)
    assert prompts_for(0)[1].text in out.getvalue()
    later, out = session(tmp_path, ANNA, now=TWO)
    assert prompts_for(1)[0].text in out.getvalue()
    assert [(each.name, each.takes) for each in later.progress.days] == [("2026-11-23", 2), ("2026-11-24", 1)]
    assert Shelf(tmp_path).of("allowed", "Anna").days == tuple(
        type(each)(each.name, each.takes, pytest.approx(each.seconds)) for each in later.progress.days
    )


def test_sound_that_is_missing_drops_the_take(tmp_path: Path) -> None:
    half = read_wav(ANNA)[:32_000]
    held, out = session(tmp_path, np.concatenate([silence(1.0), half]), Gap("overflow", 0.0))
    assert held.kept + held.refused == 1
    clock = ManualClock()
    microphone = SimulatedMicrophone([half, Gap("overflow", 0.0), silence(2.0)], clock=clock)
    lost = make_session(ears.Ears(microphone, clock, ""), Shelf(tmp_path / "b"), "allowed", "Anna",
                        TerminalDisplay(Screen(out=out, live=False)), target_seconds=60.0, now=ONE)  # fmt: skip
    lost.hold()
    assert (lost.kept, lost.refused) == (0, 0)
    assert "sound is missing: overflow" in out.getvalue()


def test_strangers_and_the_background_go_to_folders_of_their_own(tmp_path: Path) -> None:
    noise = np.random.default_rng(1).normal(0.0, 40.0, 16_000 * 45).astype(np.int16)
    session(tmp_path, ANNA, role="strangers", person="Olaf", seconds=5.0)
    held, out = session(tmp_path, noise, role="noise", person="", seconds=40.0)
    assert held.kept == 2
    assert "recording the background" in out.getvalue()
    kept = sorted(path.relative_to(tmp_path / "recordings").as_posix() for path in tmp_path.rglob("*.wav"))
    assert kept == ["noise/2026-11-23/01.wav", "noise/2026-11-23/02.wav", "strangers/Olaf/2026-11-23/01.wav"]


def test_somebody_who_talks_spoils_the_background(tmp_path: Path) -> None:
    talk = np.concatenate([read_wav(ANNA)] * 3)
    held, out = session(tmp_path, talk, role="noise", person="", seconds=20.0)
    assert held.kept == 0
    assert "sounds like speech" in out.getvalue()


def test_recordings_are_private_and_can_be_forgotten(tmp_path: Path) -> None:
    session(tmp_path, ANNA)
    for path in (tmp_path / "recordings").rglob("*"):
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600)
    assert files_of(tmp_path, "Anna") == [tmp_path / "recordings" / "allowed" / "Anna"]
    assert files_of(tmp_path, "allowed") == []


def test_what_is_there_is_never_overwritten(tmp_path: Path) -> None:
    session(tmp_path, ANNA)
    folder = tmp_path / "recordings/allowed/Anna/2026-11-23"
    (folder / "01.wav").rename(folder / "07.wav")
    write_wav(folder / "reviewed-clip.wav", read_wav(ANNA))
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    session(tmp_path, ANNA)
    assert {path.name for path in folder.iterdir()} == {*before, "08.wav"}
    assert all((folder / name).read_bytes() == content for name, content in before.items())


def test_the_view_fits_80_columns_and_says_what_to_say_how_and_how_far_it_is(tmp_path: Path) -> None:
    seen: list[list[str]] = []

    class Watching(TerminalDisplay):
        def show(self, view, *, now_seconds: float) -> None:  # type: ignore[no-untyped-def]
            seen.append(session_lines(view, 79))

    clock = ManualClock(wall_start=ONE)
    microphone = SimulatedMicrophone([silence(1.0), clipped(), silence(2.0), ANNA, silence(2.0)], clock=clock)
    made = make_session(ears.Ears(microphone, clock, ""), Shelf(tmp_path), "allowed", "Anna",
                        Watching(Screen(out=io.StringIO(), live=True)), target_seconds=60.0, now=ONE)  # fmt: skip
    made.hold()
    assert max(len(line) for lines in seen for line in lines) <= 79
    text = ["\n".join(lines) for lines in seen]
    first = prompts_for(0)[0]
    assert first.text in text[0].replace("\n  ", " ")
    assert first.manner.hint in text[0]
    assert any("CLIPPED" in each for each in text)
    assert any("refused, clipped" in each for each in text)
    assert "kept 1, refused 1" in text[-1]
    assert "13 %" in text[-1]


def test_a_program_gets_one_object_a_take(tmp_path: Path) -> None:
    _, out = session(tmp_path, clipped(), ANNA, json=True)
    refused, kept = (json.loads(line) for line in out.getvalue().splitlines())
    assert refused["kept"] == ""
    assert refused["problem"].startswith("clipped")
    assert Path(kept["kept"]).is_file()
    assert kept["manner"] == "normal"
    assert kept["speech_seconds"] > 5.0


@pytest.mark.parametrize("name", ["", " ", "a/b", "..", ".hidden", "-rf", "~root", "allowed", "status", "x" * 61,
                                  "a\nb", "a\\b"])  # fmt: skip
def test_what_is_no_name_makes_no_folder(name: str) -> None:
    with pytest.raises(DataError, match="not a person's name"):
        check_person(name)


def test_names_of_all_alphabets_are_names() -> None:
    assert [check_person(each) for each in ("Zoë", " Anna Maria ", "Дмитрий", "O'Neil")] == [
        "Zoë", "Anna Maria", "Дмитрий", "O'Neil"
    ]  # fmt: skip


def test_status_says_who_has_how_much_over_how_many_days_and_what_is_missing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["record", "status", "--state-dir", str(tmp_path)]) == 0
    assert "Nothing was recorded here yet" in capsys.readouterr().out
    session(tmp_path, ANNA)
    session(tmp_path, ANNA, now=TWO)
    assert cli.main(["record", "status", "--state-dir", str(tmp_path), "--json"]) == 0
    (told,) = json.loads(capsys.readouterr().out)
    assert (told["person"], told["role"], [each["takes"] for each in told["days"]]) == ("Anna", "allowed", [1, 1])
    assert 10 <= told["percent"] <= 20
    assert "missing" in told
    lines = status_lines(Shelf(tmp_path).of("allowed", "Anna"), today="2026-11-24")
    assert "2 days" in lines[0]
    assert any("more speech today" in line for line in lines)
    assert max(map(len, lines)) <= 79


def test_a_terminal_that_cannot_show_a_name_is_told_it_in_other_letters(tmp_path: Path) -> None:
    session(tmp_path, ANNA, person="Zoë")
    command = [sys.executable, "-m", "device", "record", "status", "--state-dir", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, env={**os.environ, "PYTHONIOENCODING": "ascii"}, capture_output=True,
                          check=False)  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert b"Zo\\xeb" in done.stdout


def test_a_damaged_recording_is_named(tmp_path: Path) -> None:
    session(tmp_path, ANNA)
    bad = tmp_path / "recordings/allowed/Anna/2026-11-23/02.wav"
    bad.write_bytes(b"RIFF")
    with pytest.raises(AudioFormatError, match=r"02\.wav"):
        Shelf(tmp_path).progress()


def test_a_disk_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "recordings").write_text("a file where the folder should be")
    with pytest.raises(StateError, match="cannot be written"):
        session(tmp_path, ANNA)


def test_the_command_records_from_a_file_and_tells_the_next_step(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    clock = ManualClock(wall_start=ONE)
    monkeypatch.setattr(ears, "open_ears", lambda each, hold: ears.simulated(each.wav, clock))
    where = ["--state-dir", str(tmp_path), "--simulate"]
    assert cli.main(["record", "Anna", "--wav", str(ANNA), "--seconds", "5", *where]) == 0
    said = capsys.readouterr().out
    assert "Kept 1 take, refused 0" in said
    assert "60 s of speech on another day" in said
    assert cli.main(["record", "Anna", "--wav", str(ANNA), *where]) == 1, "the file ended before there was enough"


def test_a_household_may_bring_sentences_in_its_own_language(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(ears, "open_ears", lambda each, hold: ears.simulated(each.wav, ManualClock(wall_start=ONE)))
    own = tmp_path / "sentences.txt"
    own.write_text("Ich habe meinen Schlüssel vergessen.\n\nMachst du bitte auf?\n")
    record = ["record", "Anna", "--simulate", "--wav", str(ANNA), "--state-dir", str(tmp_path), "--sentences", str(own)]
    assert cli.main(record) == 1
    said = capsys.readouterr().out
    assert said.index("Ich habe meinen Schlüssel vergessen.") < said.index("Machst du bitte auf?")
    for bad in (b"", b"\n \n", b"\xff\xfe", b"x" * 301):
        own.write_bytes(bad)
        assert cli.main(record) == 78


@pytest.mark.parametrize("arguments", [[], ["Anna", "--room"], ["--others", "A", "--strangers", "B"]])
def test_whom_to_record_must_be_clear(arguments: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["record", *arguments, "--state-dir", str(tmp_path), "--simulate"]) == 78
    assert "whom to record" in capsys.readouterr().err


def test_a_daemon_that_does_not_share_its_microphone_is_said_with_the_next_step(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    # This test's parent plays the daemon: a process that lives, without a live feed.
    told = {"state": "listening", "pid": os.getppid(), "bundle": "demo", "sequence": 1, "digest": "", "loaded_at": ""}
    (tmp_path / "status.json").write_text(json.dumps(told))
    assert cli.main(["record", "Anna", "--runtime-dir", str(tmp_path), "--state-dir", str(tmp_path)]) == 69
    said = capsys.readouterr().err
    assert "the daemon has the microphone" in said
    assert "systemctl stop voicelatch" in said
    assert not (tmp_path / "recordings").exists()


def test_files_without_a_simulated_microphone_are_a_mistake(tmp_path: Path) -> None:
    assert cli.main(["record", "Anna", "--wav", str(ANNA), "--state-dir", str(tmp_path)]) == 78


def test_ctrl_c_ends_it_and_keeps_what_was_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = ManualClock(wall_start=ONE)

    class Interrupted(SimulatedMicrophone):
        def read(self):  # type: ignore[no-untyped-def]
            item = super().read()
            if item is None:
                raise KeyboardInterrupt
            return item

    def interrupted(_arguments: argparse.Namespace, *, hold: bool) -> ears.Ears:
        return ears.Ears(Interrupted([ANNA, silence(2.0)], clock=clock), clock, "")

    monkeypatch.setattr(ears, "open_ears", interrupted)
    assert cli.main(["record", "Anna", "--state-dir", str(tmp_path)]) == 0
    assert len(list(tmp_path.rglob("*.wav"))) == 1
