"""``device scan``: files and folders, results that appear whole, and a scan that goes on where it was killed."""

import csv
import fcntl
import io
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from device.errors import AudioFormatError, ConfigError, DataError, StateError
from device.service import cli, scan_folder
from device.service.scan_files import find_inputs
from device.service.scan_folder import Recording
from device.service.scan_progress import Progress
from device.service.scan_runs import Stretch
from device.simulated.microphone import silence
from device.sound.pcm import Samples
from device.sound.wavblocks import WavBlocks
from device.sound.wavfile import read_wav, write_wav
from device.terminal.screen import Screen
from device.verdict.values import Outcome
from tests.conftest import ROOT

EVENING = ROOT / "device" / "simulated" / "evening"
BUNDLE = ["--bundle", str(ROOT / "models" / "demo")]
SETTINGS = {"bundle": "b", "gap_seconds": 8.0}


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder ``in`` with Anna, a stranger and Bruno, each with silence around, in the working directory."""
    monkeypatch.chdir(tmp_path)
    Path("in").mkdir()
    for number, voice in enumerate(("anna", "courier", "bruno")):
        sound = np.concatenate([silence(5.0), read_wav(EVENING / f"{voice}.wav"), silence(5.0)])
        write_wav(Path(f"in/{number}-{voice}.wav"), sound)
    return tmp_path


def scan(*arguments: str) -> int:
    return cli.main(["scan", *arguments, *BUNDLE])


def told(capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    summary: dict[str, Any] = json.loads(capsys.readouterr().out)
    return summary


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_a_folder_is_scanned_and_says_who_when_and_how_often(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert scan("in", "--json") == 0
    summary = told(capsys)
    assert [(each["file"], each["residents"]) for each in summary["files"]] == [
        ("in/0-anna.wav", {"Anna": 1}), ("in/1-courier.wav", {}), ("in/2-bruno.wav", {"Bruno": 1})]  # fmt: skip
    assert (summary["events"], summary["scanned"], summary["gap_seconds"]) == (2, 3, 8.0)
    assert summary["events_per_hour"] == pytest.approx(2 * 3600 / summary["seconds"], abs=0.01)
    found = rows(here / "scan" / "results.csv")
    assert [(each["file"], each["who"], each["decision"]) for each in found] == [
        ("in/0-anna.wav", "Anna", "open"), ("in/1-courier.wav", "stranger", "refuse"),
        ("in/2-bruno.wav", "Bruno", "open")]  # fmt: skip
    for each in found:
        assert 4.0 < float(each["start_seconds"]) < 6.0 < float(each["end_seconds"])
        assert (float(each["peak_llr"]) >= float(each["threshold_llr"])) is (each["who"] != "stranger")
    assert all(path.stat().st_mode & 0o077 == 0 for path in (here / "scan").glob("*.csv"))


def test_people_are_told_in_a_table_without_a_bar_where_there_is_no_terminal(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert scan("in/0-anna.wav") == 0
    out, err = capsys.readouterr()
    assert "Anna 1" in out
    assert "An event ends after 8 s" in out
    assert "\x1b" not in out + err
    assert "real time" not in err


@pytest.mark.parametrize("block_seconds", [0.5, 3.7])
def test_results_are_the_same_whatever_the_blocks(
    here: Path, monkeypatch: pytest.MonkeyPatch, block_seconds: float
) -> None:
    assert scan("in", "--out", "whole") == 0
    blocks = WavBlocks.blocks
    monkeypatch.setattr(WavBlocks, "blocks", lambda self: blocks(self, block_seconds=block_seconds))
    assert scan("in", "--out", "pieces") == 0
    for name in ("results.csv", "files.csv"):
        assert (here / "whole" / name).read_text() == (here / "pieces" / name).read_text()


def test_what_cannot_be_read_is_said_and_the_others_go_on(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("in/1-broken.wav").write_text("no sound")
    Path("in/song.flac").write_text("another form")
    assert scan("in", "in/absent.wav", "--json") == 65
    out, err = capsys.readouterr()
    summary = json.loads(out)
    assert [each["file"] for each in summary["files"]] == ["in/0-anna.wav", "in/1-courier.wav", "in/2-bruno.wav"]
    assert list(summary["failed"]) == ["in/1-broken.wav", "in/absent.wav"]
    assert summary["left_out"] == ["in/song.flac"]
    for name in ("1-broken.wav", "absent.wav", "song.flac"):
        assert name in err
    assert not [each for each in rows(here / "scan" / "results.csv") if "broken" in each["file"]]


def test_a_recording_that_breaks_off_while_it_is_heard_leaves_no_results(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    whole = WavBlocks.blocks

    def blocks(self: WavBlocks) -> Iterator[Samples]:
        yield from whole(self)
        if self.path.name == "0-anna.wav":
            raise AudioFormatError("the disk broke down", where=str(self.path))

    monkeypatch.setattr(WavBlocks, "blocks", blocks)
    assert scan("in", "--json") == 65
    assert list(told(capsys)["failed"]) == ["in/0-anna.wav"]
    assert {each["file"] for each in rows(here / "scan" / "results.csv")} == {"in/1-courier.wav", "in/2-bruno.wav"}
    assert not list((here / "scan").glob(".*part*"))


def test_nothing_to_scan_is_an_error_with_the_next_step(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        scan()
    assert left.value.code == 2
    assert "name files or folders" in capsys.readouterr().err
    Path("empty").mkdir()
    assert scan("empty") == 66
    assert "next:" in capsys.readouterr().err
    Path("empty/a.flac").write_text("another form")
    with pytest.raises(DataError, match="convert them"):
        find_inputs([Path("empty")])
    assert not Path("scan").exists()


def test_a_file_that_is_named_twice_is_scanned_once_and_hidden_ones_are_left_out(here: Path) -> None:
    Path("in/.hidden.wav").write_text("no sound")
    Path("in/._0-anna.wav").write_text("a resource file")
    inputs = find_inputs([Path("in/2-bruno.wav"), Path("in"), here / "in" / "2-bruno.wav"])
    assert [str(each) for each in inputs.files] == ["in/2-bruno.wav", "in/0-anna.wav", "in/1-courier.wav"]


def test_a_scan_that_was_killed_goes_on_at_the_first_recording_that_is_not_finished(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A real process, killed by SIGKILL when it has heard the second of three recordings but not published it."""
    code = (
        "import os, signal, sys\n"
        "from device.service import cli\n"
        "from device.sound.wavblocks import WavBlocks\n"
        "whole = WavBlocks.blocks\n"
        "def blocks(self):\n"
        "    yield from whole(self)\n"
        "    if 'courier' in self.path.name: os.kill(os.getpid(), signal.SIGKILL)\n"
        "WavBlocks.blocks = blocks\n"
        f"cli.main(['scan', 'in', *{BUNDLE!r}])\n"
    )
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    killed = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, check=False)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert [each["file"] for each in rows(here / "scan" / "files.csv")] == ["in/0-anna.wav"]
    assert {each["file"] for each in rows(here / "scan" / "results.csv")} == {"in/0-anna.wav"}

    assert scan("in", "--json") == 0
    summary = told(capsys)
    assert (summary["finished_before"], summary["scanned"], summary["events"]) == (1, 2, 2)
    assert scan("in", "--out", "at-once") == 0
    for name in ("results.csv", "files.csv"):
        assert (here / "scan" / name).read_text() == (here / "at-once" / name).read_text()


def test_control_c_says_that_the_same_command_goes_on(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(self: WavBlocks) -> Iterator[Samples]:
        yield silence(1.0)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(WavBlocks, "blocks", interrupted)
        assert scan("in") == 130
    assert "goes on" in capsys.readouterr().err
    assert scan("in", "--json") == 0
    assert told(capsys)["scanned"] == 3


def test_a_recording_that_has_changed_is_scanned_again_and_its_old_rows_are_gone(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert scan("in") == 0
    write_wav(Path("in/0-anna.wav"), np.concatenate([silence(1.0), read_wav(EVENING / "clara.wav")]))
    capsys.readouterr()
    assert scan("in", "--json") == 0
    summary = told(capsys)
    assert (summary["scanned"], summary["finished_before"]) == (1, 2)
    assert [each["who"] for each in rows(here / "scan" / "results.csv") if "anna" in each["file"]] == ["Clara"]


def test_a_scan_made_otherwise_is_not_mixed_in(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert scan("in/0-anna.wav", "--gap", "3") == 0
    before = (here / "scan" / "results.csv").read_text()
    assert scan("in/0-anna.wav", "--gap", "4") == 78
    assert "other gap_seconds" in capsys.readouterr().err
    assert (here / "scan" / "results.csv").read_text() == before


def test_the_devices_own_thresholds_are_used(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = "[relay]\npin = 17\n[model]\nbundle = '{}'\n[policy]\nextra_llr_margin = 50.0\n"
    Path("door.toml").write_text(config.format(ROOT / "models" / "demo"))
    assert cli.main(["scan", "in", "--config", "door.toml", "--json"]) == 0
    summary = told(capsys)
    assert summary["events"] == 0
    assert summary["policy"]["open_llr"] > 50.0


STRETCH = Stretch(resident=None, started_at_seconds=1.0, ended_at_seconds=4.0, peak_llr=-3.0, decision=Outcome.REFUSE)


def publish(folder: scan_folder.ScanFolder, path: Path, who: str) -> None:
    size, changed = scan_folder.identity(path)
    with folder.rows(str(path), threshold_llr=5.0) as out:
        out.add(replace(STRETCH, resident=who))
        out.add(STRETCH)
        out.publish(Recording(file=str(path), size_bytes=size, modified_ns=changed, seconds=60.0, clips=2, too_short=0,
                              openings=1, events=1, events_per_hour=60.0, residents="{}"))  # fmt: skip


@pytest.mark.parametrize("stop_at", range(9))
def test_a_power_cut_at_any_replacement_of_a_file_leaves_whole_recordings(
    here: Path, monkeypatch: pytest.MonkeyPatch, stop_at: int
) -> None:
    """scan.json, then results.csv and files.csv at the start and for each recording: 9 for three."""
    files = [here / "in" / name for name in sorted(os.listdir("in"))]
    replaced, left = os.replace, iter(range(99))

    def cut(old: Path, new: Path) -> None:
        if next(left) == stop_at:
            raise SystemExit
        replaced(old, new)

    def everything() -> None:
        with scan_folder.scan_folder(Path("out"), SETTINGS) as folder:
            for path in files:
                if not folder.is_finished(path):
                    publish(folder, path, path.stem)

    with monkeypatch.context() as patch:
        patch.setattr(scan_folder.os, "replace", cut)
        with pytest.raises(SystemExit):
            everything()
    results = Path("out/results.csv")
    seen = [each["file"] for each in rows(results)] if results.exists() else []
    assert seen == [str(path) for path in files[: len(seen) // 2] for _ in range(2)]
    everything()
    assert [each["who"] for each in rows(results)] == [
        "0-anna", "stranger", "1-courier", "stranger", "2-bruno", "stranger"]  # fmt: skip
    assert [each["file"] for each in rows(Path("out/files.csv"))] == [str(path) for path in files]


def test_names_come_back_as_they_were(tmp_path: Path) -> None:
    odd = tmp_path / os.fsdecode(b'a,"b"\n\xff.wav')
    odd.write_bytes(b"something")
    for _ in range(2):
        with scan_folder.scan_folder(tmp_path / "out", SETTINGS) as folder:
            if not folder.is_finished(odd):
                publish(folder, odd, 'An"na, the\nfirst')
    with scan_folder.scan_folder(tmp_path / "out", SETTINGS) as folder:
        assert list(folder.finished) == [str(odd)]


@pytest.mark.parametrize("name", ["files.csv", "results.csv", "scan.json"])
@pytest.mark.parametrize("content", ["", "nonsense\n1,2\n", "[1]"])
def test_a_folder_that_was_altered_is_refused_with_the_next_step(here: Path, name: str, content: str) -> None:
    with scan_folder.scan_folder(Path("out"), SETTINGS) as folder:
        publish(folder, here / "in" / "0-anna.wav", "Anna")
    Path("out", name).write_text(content)
    with pytest.raises(StateError, match="not what a scan wrote") as caught:
        scan_folder.scan_folder(Path("out"), SETTINGS).__enter__()
    assert "--out" in caught.value.next_step
    assert Path("out", name).read_text() == content


def test_two_scans_do_not_share_a_folder(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    with (tmp_path / "out" / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(ConfigError, match="another scan"):
            scan_folder.scan_folder(tmp_path / "out", SETTINGS).__enter__()


def test_a_folder_that_cannot_be_written_is_an_error_of_its_own(here: Path) -> None:
    Path("scan").write_text("a file")
    assert scan("in/0-anna.wav") == 73


def test_the_line_of_progress_says_how_far_and_how_fast() -> None:
    out, now = io.StringIO(), [100.0]
    progress = Progress(screen=Screen(out=out, live=True, columns=80), all_seconds=3600.0, clock=lambda: now[0],
                        started_at_seconds=100.0)  # fmt: skip
    now[0] = 101.0
    progress.heard(900.0, "in/a.wav")
    assert " 25%  900 x real time  0.1 min left" in out.getvalue()
    assert "in/a.wav" in out.getvalue()
