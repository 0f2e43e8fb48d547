"""Public corpora as a whole: what is kept, what a second run does, and the command."""

from __future__ import annotations

import argparse
import csv
import hashlib
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from device.errors import DataError, StateError, VoicelatchError
from tests.benches.http_server import HttpServer, Served, http_server
from tests.benches.public_corpus import GOOD, PATIENCE, corpus, get, left_behind, sound, tar_gz, zipped
from training.corpus.catalogue import CORPORA, Corpus, find_corpus
from training.corpus.fetch import add_parser, fetch
from training.corpus.layouts import parse_source


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[HttpServer]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with http_server({"/good.tar.gz": Served(tar_gz(GOOD))}) as bench:
        yield bench


def test_a_corpus_arrives_with_its_licence_and_a_list_of_rejects(server: HttpServer, tmp_path: Path) -> None:
    said: list[str] = []
    done = get(corpus(server), tmp_path, said=said)
    assert (done.folder, done.files, done.rejected, done.fresh) == (tmp_path / "mine", 7, {}, True)
    for name, content in GOOD.items():
        assert (tmp_path / "mine" / name).read_bytes() == content
    text = (tmp_path / "mine" / "LICENCE.txt").read_text()
    assert all(each in text for each in ("CC BY 4.0", "A. Author", "https://example.org/corpus", server.url))
    assert said == [text]
    assert (tmp_path / "mine" / "rejected.csv").read_text().splitlines() == ["path,reason"]
    assert left_behind(tmp_path) == {"mine"}
    assert not (tmp_path / ".downloads").exists()
    assert "voicelatch" in server.asked[0].agent


def test_the_licence_is_shown_before_anything_is_asked_for(server: HttpServer, tmp_path: Path) -> None:
    asked_when_said: list[int] = []
    fetch(corpus(server), tmp_path, say=lambda _text: asked_when_said.append(len(server.asked)), patience=PATIENCE)
    assert asked_when_said == [0]


def test_a_second_run_asks_the_network_for_nothing(server: HttpServer, tmp_path: Path) -> None:
    get(corpus(server), tmp_path)
    server.asked.clear()
    said: list[str] = []
    again = get(corpus(server), tmp_path, said=said)
    assert (again.fresh, again.files) == (False, 7)
    assert server.asked == []
    assert said == []


def test_without_a_published_sum_the_received_one_is_recorded_and_warned_of(server: HttpServer, tmp_path: Path) -> None:
    said: list[str] = []
    get(corpus(server, checksum=""), tmp_path, said=said)
    received = hashlib.sha256(server.files["/good.tar.gz"].content).hexdigest()
    assert received in said[-1]
    assert "nobody publishes" in said[-1]
    assert json.loads((tmp_path / "mine" / "fetched.json").read_text())["archives"][0]["sha256"] == received


def test_too_little_room_is_told_before_the_download(
    server: HttpServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: SimpleNamespace(free=100_000))
    with pytest.raises(StateError, match="not enough room"):
        get(corpus(server), tmp_path)
    assert server.asked == []


def test_resource_files_and_broken_sound_are_rejected_and_the_rest_stays(server: HttpServer, tmp_path: Path) -> None:
    files = GOOD | {
        "corpus/s0/._0.wav": b"\0\5\x16\7",
        "corpus/s0/torn.flac": sound(kind="FLAC")[:20],
        "corpus/s0/text.wav": b"this is no sound",
        "corpus/s0/empty.wav": b"",
        "corpus/s0/also good.flac": sound(seed=9, kind="FLAC"),
    }
    server.files["/mixed.zip"] = Served(zipped(files))
    done = get(corpus(server, "/mixed.zip"), tmp_path)
    assert done.files == 8
    with (tmp_path / "mine" / "rejected.csv").open(newline="") as file:
        reasons = {row["path"]: row["reason"] for row in csv.DictReader(file)}
    assert reasons == done.rejected
    assert set(reasons) == {f"corpus/s0/{name}" for name in ("._0.wav", "torn.flac", "text.wav", "empty.wav")}
    assert "macOS" in reasons["corpus/s0/._0.wav"]
    assert all("cannot be opened" in reasons[f"corpus/s0/{name}"] for name in ("torn.flac", "text.wav", "empty.wav"))
    assert not any((tmp_path / "mine" / path).exists() for path in reasons)
    assert (tmp_path / "mine" / "corpus/s0/also good.flac").read_bytes() == files["corpus/s0/also good.flac"]


def test_an_interrupted_unpacking_leaves_no_folder_and_no_second_download(server: HttpServer, tmp_path: Path) -> None:
    def stop(label: str, _done: int, _total: int) -> None:
        if label.startswith("unpack"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fetch(corpus(server), tmp_path, progress=stop, say=[].append, patience=PATIENCE)
    assert left_behind(tmp_path) == set()
    server.asked.clear()
    assert get(corpus(server), tmp_path).files == 7
    assert server.asked == []


def test_what_a_killed_run_left_does_not_get_into_the_corpus(server: HttpServer, tmp_path: Path) -> None:
    (tmp_path / ".mine.unpacking").mkdir()
    (tmp_path / ".mine.unpacking" / "half.wav").write_bytes(b"x")
    assert get(corpus(server), tmp_path).files == 7
    assert not (tmp_path / "mine" / "half.wav").exists()
    assert left_behind(tmp_path) == {"mine"}


def test_a_folder_that_fetch_did_not_make_is_not_touched(server: HttpServer, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "precious.wav").write_bytes(b"x")
    with pytest.raises(DataError, match="something else"):
        get(corpus(server), tmp_path)
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["precious.wav"]
    assert server.asked == []


def test_an_older_release_is_not_taken_for_the_new_one(server: HttpServer, tmp_path: Path) -> None:
    get(corpus(server), tmp_path)
    with pytest.raises(DataError, match="older release"):
        get(corpus(server, checksum="md5:" + "1" * 32), tmp_path)


def test_two_runs_at_once_do_not_write_the_same_files(server: HttpServer, tmp_path: Path) -> None:
    pytest.importorskip("fcntl", reason="no flock on this system")

    def second(label: str, _done: int, _total: int) -> None:
        if label.startswith("unpack"):
            get(corpus(server), tmp_path)

    with pytest.raises(StateError, match="another run"):
        fetch(corpus(server), tmp_path, progress=second, say=[].append, patience=PATIENCE)


def run(arguments: list[str], corpora: list[Corpus]) -> int:
    parser = argparse.ArgumentParser()
    add_parser(parser.add_subparsers(), corpora)
    parsed = parser.parse_args(["fetch", *arguments])
    return int(parsed.action(parsed))


def test_the_command_fetches_and_the_second_time_says_that_it_is_done(
    server: HttpServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    mine = corpus(server, sources=("librispeech:corpus",))
    assert run(["mine", "--to", str(tmp_path)], [mine]) == 0
    first = capsys.readouterr().out
    assert first.index("Licence: CC BY 4.0") < first.index("7 files, 0 rejected")
    assert f"librispeech:{tmp_path.as_posix()}/mine/corpus" in first
    assert run(["mine", "--to", str(tmp_path)], [mine]) == 0
    assert "nothing to do" in capsys.readouterr().out


def test_the_list_names_size_and_licence_of_each(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--list"], list(CORPORA)) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == len(CORPORA) + 1
    told = {line.split()[0]: line for line in lines[1:]}
    assert "338 MB" in told["librispeech-dev-clean"]
    assert "16.1 GB" in told["daps"]
    assert "not for commercial use" in told["esc-50"]


def test_names_or_folder_missing_is_a_wrong_command_line(capsys: pytest.CaptureFixture[str]) -> None:
    for arguments in ([], ["mine"], ["--to", "x"]):
        with pytest.raises(SystemExit) as caught:
            run(arguments, [])
        assert caught.value.code == 2
    assert "--to FOLDER" in capsys.readouterr().err


def test_a_misspelt_name_is_answered_with_the_right_one() -> None:
    with pytest.raises(VoicelatchError, match="did you mean librispeech-dev-clean"):
        find_corpus("librispech-dev-clean")


@pytest.mark.parametrize("each", CORPORA, ids=lambda each: each.name)
def test_the_catalogue_is_whole(each: Corpus) -> None:
    for archive in each.archives:
        assert all(url.startswith("https://") for url in archive.urls)
        algorithm, _, digest = archive.checksum.partition(":")
        assert len(digest) == {"sha256": 64, "md5": 32}[algorithm]
        assert int(digest, 16) > 0
        assert archive.file.endswith((".zip", ".tar.gz"))
    assert each.licence
    assert each.credit
    assert each.page.startswith("https://")
    for source in each.sources:
        assert parse_source(source).layout == source.partition(":")[0]


def test_no_two_corpora_share_a_name() -> None:
    assert len({each.name for each in CORPORA}) == len(CORPORA) == 8
