"""One reader of recordings for every command of the workshop: by content, in blocks, the same answer everywhere."""

import json
import os
import subprocess
import sys
import unicodedata
from pathlib import Path

import numpy as np
import pytest
import soundfile

from device.errors import AudioFormatError
from device.sound.wavblocks import open_wav
from tests.conftest import ROOT
from tests.odd_recordings import not_utf8, speech_like, wav_bytes
from training import cli
from training.corpus import ffmpeg
from training.corpus.audio_file import open_audio, read_audio
from training.corpus.index import index_folder, load_samples
from training.corpus.inspection import inspect_file
from training.corpus.names import natural_order

SOUND = speech_like(3.0)
needs_ffmpeg = pytest.mark.skipif(not ffmpeg.is_installed(), reason="ffmpeg is not installed")


@pytest.fixture
def anna(tmp_path: Path) -> Path:
    folder = tmp_path / "home/allowed/Anna"
    folder.mkdir(parents=True)
    soundfile.write(folder / "good.wav", speech_like(2.0, seed=9), 16_000, subtype="PCM_16")
    return folder


def reasons(home: Path) -> dict[str, str]:
    return {Path(each.path).name: each.reason for each in index_folder(home).rejected}


@pytest.mark.parametrize(("name", "form", "subtype"), [
    ("PTT-1.opus", "OGG", "OPUS"), ("voice.mp3", "MP3", None), ("voice.aiff", "AIFF", "PCM_16"),
    ("voice.caf", "CAF", "PCM_16"), ("voice.wave", "WAV", "PCM_16"), ("voice.w64", "W64", "PCM_16"),
    ("flac_that_is_called.wav", "FLAC", "PCM_16"), ("mp3_that_is_called.wav", "MP3", None),
])  # fmt: skip
def test_a_form_is_known_by_its_content_in_the_index_and_in_a_scan(
    anna: Path, name: str, form: str, subtype: str | None
) -> None:
    soundfile.write(anna / name, SOUND / 32768, 16_000, format=form, subtype=subtype)
    assert {Path(each.path).name for each in index_folder(anna.parents[1]).recordings} == {"good.wav", name}
    assert len(read_audio(anna / name)) == pytest.approx(len(SOUND), abs=3000)


@needs_ffmpeg
@pytest.mark.parametrize("name", ["phone.m4a", "whatsapp.aac", "video.mov", "video.mp4", "m4a_that_is_called.wav"])
def test_a_phones_recording_is_read_through_ffmpeg(anna: Path, tmp_path: Path, name: str) -> None:
    soundfile.write(tmp_path / "plain.wav", SOUND, 16_000, subtype="PCM_16")
    made = tmp_path / ("made.m4a" if name.endswith(".wav") else name)
    subprocess.run(
        ["ffmpeg", "-y", "-loglevel", "error", "-i", tmp_path / "plain.wav", "-c:a", "aac", made], check=True
    )
    os.replace(made, anna / name)
    index = index_folder(anna.parents[1])
    assert name in {Path(each.path).name for each in index.recordings}
    assert len(read_audio(anna / name)) == pytest.approx(len(SOUND), abs=3000)


def test_without_ffmpeg_the_file_waits_and_the_one_command_is_told(
    anna: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (anna / "phone.m4a").write_bytes(b"\0\0\0\x20ftypM4A " + b"\0" * 9000)
    monkeypatch.setattr(ffmpeg, "is_installed", lambda: False)
    cache = tmp_path / "i.jsonl"
    (left_out,) = index_folder(anna.parents[1], cache=cache).rejected
    assert left_out.resident == "Anna"
    assert "ffmpeg" in left_out.reason
    with pytest.raises(AudioFormatError, match=r"find FOLDER .*-iname '\*.m4a'.*-exec ffmpeg"):
        open_audio(anna / "phone.m4a")
    assert cli.main(["index", str(anna.parents[1]), "--out", str(tmp_path / "t"), "--runs", str(tmp_path / "r")]) == 0
    assert "-exec ffmpeg -n -i {} -vn {}.flac" in capsys.readouterr().out
    # Installed later, the file is not held to what was noted before.
    monkeypatch.setattr(ffmpeg, "is_installed", lambda: True)
    monkeypatch.setattr(ffmpeg, "open_ffmpeg", lambda path: (_ for _ in ()).throw(ffmpeg.unreadable(path, "asked")))
    assert "asked" in index_folder(anna.parents[1], cache=cache).rejected[0].reason


def test_damaged_wavs_get_the_same_answer_from_every_reader(anna: Path) -> None:
    cut = wav_bytes(SOUND)
    (anna / "cut.wav").write_bytes(cut[: len(cut) // 2])
    (anna / "died.wav").write_bytes(wav_bytes(SOUND, declared_bytes=32_000))
    (anna / "piped.wav").write_bytes(wav_bytes(SOUND, declared_bytes=0xFFFFFFFF))
    left_out = reasons(anna.parents[1])
    assert left_out["cut.wav"] == "the file was cut short: 1.5 s of sound, its header names 3.0 s"
    assert "1.0 s named, 3.0 s there" in left_out["died.wav"]
    assert set(left_out) == {"cut.wav", "died.wav"}
    for name in left_out:
        answers = set()
        for opened in (open_wav, open_audio):
            with pytest.raises(AudioFormatError) as caught:
                opened(anna / name)
            answers.add(str(caught.value))
        assert len(answers) == 1


def test_other_forms_that_were_cut_are_no_silent_success(anna: Path) -> None:
    for name in ("cut.aiff", "cut.flac"):
        soundfile.write(anna / name, SOUND / 32768, 16_000, subtype="PCM_16")
        (anna / name).write_bytes((anna / name).read_bytes()[:40_000])
    left_out = reasons(anna.parents[1])
    assert "cut short" in left_out["cut.aiff"]
    assert "cannot be decoded" in left_out["cut.flac"]


@needs_ffmpeg
def test_a_flac_and_an_mp3_from_a_pipe_do_not_name_their_length_and_are_read(anna: Path, tmp_path: Path) -> None:
    soundfile.write(tmp_path / "plain.wav", SOUND, 16_000, subtype="PCM_16")
    for form in ("flac", "mp3"):
        with (anna / f"piped.{form}").open("wb") as out:
            command = ["ffmpeg", "-loglevel", "error", "-i", str(tmp_path / "plain.wav"), "-f", form, "-"]
            subprocess.run(command, stdout=out, check=True)
        assert len(read_audio(anna / f"piped.{form}")) == pytest.approx(len(SOUND), abs=3000)
    assert reasons(anna.parents[1]) == {}


def test_channels_that_cancel_are_no_silence_and_the_one_used_is_said(anna: Path) -> None:
    soundfile.write(anna / "opposite.wav", np.stack([SOUND, -SOUND], axis=1), 16_000, subtype="PCM_16")
    soundfile.write(anna / "dead.flac", np.stack([SOUND, 0 * SOUND], axis=1), 16_000, subtype="PCM_16")
    index = index_folder(anna.parents[1])
    notes = {Path(path).name: note for path, note in index.notes}
    assert "channel 1 of 2 is used" in notes["opposite.wav"]
    assert "channel 2 of 2 is silent" in notes["dead.flac"]
    for each in index.recordings:
        if each.path.endswith(("opposite.wav", "dead.flac")):
            assert np.array_equal(load_samples(index.root, each), SOUND)


def test_a_bad_file_has_one_reason_in_every_run_and_it_names_no_object(anna: Path) -> None:
    (anna / "noise.wav").write_bytes(np.random.default_rng(3).bytes(50_000))
    (anna / "broken.flac").write_bytes(b"fLaC" + b"\1" * 5000)
    (anna / "page.ogg").write_bytes(b"<html>404</html>" * 50)
    first, second = reasons(anna.parents[1]), reasons(anna.parents[1])
    assert first == second
    assert set(first) == {"noise.wav", "broken.flac", "page.ogg"}
    assert not any("0x" in reason or "object" in reason for reason in first.values())
    assert "a web page" in first["page.ogg"]


def test_a_name_that_is_no_utf8_is_left_out_readably_and_nothing_else_suffers(
    anna: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    not_utf8(anna, b"K\xfcche.wav", wav_bytes(SOUND))
    not_utf8(Path(os.fsdecode(os.path.join(os.fsencode(anna.parent), b"M\xfcller"))), b"a.wav", wav_bytes(SOUND))
    index = index_folder(anna.parents[1], cache=tmp_path / "i.jsonl")
    assert [Path(each.path).name for each in index.recordings] == ["good.wav"]
    assert {each.path for each in index.rejected} == {"allowed/Anna/K\\xfcche.wav", "allowed/M\\xfcller/a.wav"}
    assert index.residents == ("Anna", "M\\xfcller")
    assert cli.main(["index", str(anna.parents[1]), "--out", str(tmp_path / "t"), "--runs", str(tmp_path / "r")]) == 0
    assert "K\\xfcche.wav" in capsys.readouterr().out
    assert "K\\xfcche.wav" in (tmp_path / "t/rejected.csv").read_text()


def test_a_name_that_is_no_utf8_is_scanned(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    not_utf8(tmp_path / "in", b"K\xfcche.wav", wav_bytes(SOUND))
    bundle = str(ROOT / "models/demo")
    assert cli.main(["scan", str(tmp_path / "in"), "--bundle", bundle, "--out", str(tmp_path / "o"), "--json"]) == 0
    assert len(json.loads(capsys.readouterr().out)["files"]) == 1


def test_a_mac_and_a_pi_write_one_name_in_two_ways_and_it_is_one_person(anna: Path) -> None:
    for number, form in enumerate(("NFC", "NFD")):
        folder = anna.parent / unicodedata.normalize(form, "Zoë")
        folder.mkdir()
        soundfile.write(folder / "a.wav", speech_like(2.0, seed=20 + number), 16_000, subtype="PCM_16")
    index = index_folder(anna.parents[1])
    assert index.residents == ("Anna", "Zo\u00eb")
    assert {each.speaker for each in index.recordings} == {"Anna", "Zo\u00eb"}
    assert len(index.recordings) == 3


def test_days_named_9_and_10_are_in_natural_order() -> None:
    assert sorted(["10", "9", "2026-01-10", "2026-01-9"], key=natural_order) == ["9", "10", "2026-01-9", "2026-01-10"]


def test_a_long_recording_is_indexed_in_little_memory(tmp_path: Path) -> None:
    # Ten minutes of stereo at 44.1 kHz: 212 MB as float, and once more for every copy.
    block = np.repeat(speech_like(10.0)[:, None], 2, axis=1)
    with soundfile.SoundFile(tmp_path / "long.flac", "w", 44_100, 2, subtype="PCM_16") as file:
        for _ in range(165):
            file.write(block)
    code = (
        "import resource, sys; from pathlib import Path; from training.corpus.inspection import inspect_file\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "facts = inspect_file(Path(sys.argv[1])); assert facts.seconds > 590, facts\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)"
    )
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path / "long.flac")], cwd=ROOT, capture_output=True,
                          text=True, check=True)  # fmt: skip
    assert int(done.stdout) < 60_000, "KiB more than before"


def test_the_measures_of_blocks_are_those_of_the_whole(anna: Path) -> None:
    from training.corpus.measures import measure

    stereo = np.stack([SOUND, SOUND // 2], axis=1)
    soundfile.write(anna / "a.flac", stereo, 22_050, subtype="PCM_16")
    sound, rate_hz = soundfile.read(anna / "a.flac", dtype="float32", always_2d=True)
    assert inspect_file(anna / "a.flac").measures == measure(sound, rate_hz)
