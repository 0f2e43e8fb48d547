"""Public corpora: downloads that break off, wrong sums, hostile archives, and what is kept of a corpus."""

from __future__ import annotations

import argparse
import csv
import gzip
import hashlib
import io
import json
import os
import shutil
import stat
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import soundfile

from device.errors import DataError, RuntimeMissingError, StateError, VoicelatchError
from tests.benches.http_server import HttpServer, Served, http_server
from training.corpus.catalogue import CORPORA, Archive, Corpus, find_corpus
from training.corpus.download import Patience
from training.corpus.fetch import Fetched, add_parser, fetch
from training.corpus.layouts import parse_source
from training.corpus.unpack import Limits, unpack

PATIENCE = Patience(tries=3, sleep=lambda _seconds: None, silence_seconds=10)


def sound(*, seed: int = 1, kind: str = "WAV") -> bytes:
    file = io.BytesIO()
    soundfile.write(file, np.random.default_rng(seed).uniform(-0.3, 0.3, 8000), 16000, format=kind)
    return file.getvalue()


def tar_gz(files: dict[str, bytes], *more: tarfile.TarInfo) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as tar:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size, info.mode = len(content), 0o6777
            tar.addfile(info, io.BytesIO(content))
        for info in more:
            tar.addfile(info)
    return out.getvalue()


def zipped(files: dict[str, bytes], *, link: tuple[str, str] | None = None) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in files.items():
            file.writestr(name, content)
        if link:
            info = zipfile.ZipInfo(link[0])
            info.create_system, info.external_attr = 3, (stat.S_IFLNK | 0o777) << 16
            file.writestr(info, link[1])
    return out.getvalue()


def special(name: str, kind: bytes, target: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info


GOOD = {f"corpus/s{n}/{n}.wav": sound(seed=n) for n in range(6)} | {"corpus/about.txt": b"hello"}


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[HttpServer]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with http_server({"/good.tar.gz": Served(tar_gz(GOOD))}) as bench:
        yield bench


def corpus(server: HttpServer, path: str = "/good.tar.gz", **changes: object) -> Corpus:
    """A corpus of what the server has there, with its true sum unless changed."""
    content = server.files[path].content if path in server.files else b""
    archive = Archive(
        urls=(server.url + path,),
        file=Path(path).name,
        size_bytes=len(content),
        checksum="sha256:" + hashlib.sha256(content).hexdigest(),
    )
    archive = replace(
        archive, **{key: changes.pop(key) for key in ("checksum", "urls", "size_bytes") if key in changes}
    )
    made = Corpus(
        name="mine",
        archives=(archive,),
        unpacked_bytes=300_000,
        licence="CC BY 4.0",
        licence_url="https://example.org/licence",
        credit="A. Author: A Corpus. 2020.",
        page="https://example.org/corpus",
    )
    return replace(made, **changes)  # type: ignore[arg-type]


def get(wanted: Corpus, to: Path, *, said: list[str] | None = None) -> Fetched:
    return fetch(wanted, to, say=[].append if said is None else said.append, patience=PATIENCE)


def left_behind(to: Path) -> set[str]:
    """Whatever stands in the folder, less the downloads and the lock."""
    return {each.name for each in to.iterdir()} - {".downloads"}


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


def test_nothing_unpacked_is_setuid_or_executable(server: HttpServer, tmp_path: Path) -> None:
    get(corpus(server), tmp_path)
    modes = {path.stat().st_mode & 0o7111 for path in (tmp_path / "mine").rglob("*") if path.is_file()}
    assert modes == {0}


def test_a_second_run_asks_the_network_for_nothing(server: HttpServer, tmp_path: Path) -> None:
    get(corpus(server), tmp_path)
    server.asked.clear()
    said: list[str] = []
    again = get(corpus(server), tmp_path, said=said)
    assert (again.fresh, again.files) == (False, 7)
    assert server.asked == []
    assert said == []


def test_a_connection_that_breaks_off_goes_on_where_it_broke(server: HttpServer, tmp_path: Path) -> None:
    server.files["/good.tar.gz"].break_off = [3000, 2500, None]
    get(corpus(server), tmp_path)
    assert [each.wanted for each in server.asked] == ["", "bytes=3000-", "bytes=5500-"]


def test_progress_resets_the_count_of_tries(server: HttpServer, tmp_path: Path) -> None:
    server.files["/good.tar.gz"].break_off = [2000] * 8
    get(corpus(server), tmp_path)
    assert len(server.asked) == 9


def test_the_next_run_goes_on_after_one_that_gave_up(server: HttpServer, tmp_path: Path) -> None:
    server.files["/good.tar.gz"].break_off = [4000, 0, 0, 0]
    with pytest.raises(RuntimeMissingError, match="goes on after 4000 bytes"):
        get(corpus(server), tmp_path)
    part = tmp_path / ".downloads" / "mine" / "good.tar.gz.part"
    assert part.read_bytes() == server.files["/good.tar.gz"].content[:4000]
    server.asked.clear()
    server.files["/good.tar.gz"].break_off.clear()
    get(corpus(server), tmp_path)
    assert [each.wanted for each in server.asked] == ["bytes=4000-"]


def test_a_part_that_is_complete_needs_no_more_bytes(server: HttpServer, tmp_path: Path) -> None:
    part = tmp_path / ".downloads" / "mine" / "good.tar.gz.part"
    part.parent.mkdir(parents=True)
    part.write_bytes(server.files["/good.tar.gz"].content)
    assert get(corpus(server), tmp_path).files == 7
    assert len(server.asked) == 1


def test_a_part_longer_than_the_file_is_thrown_away(server: HttpServer, tmp_path: Path) -> None:
    part = tmp_path / ".downloads" / "mine" / "good.tar.gz.part"
    part.parent.mkdir(parents=True)
    part.write_bytes(server.files["/good.tar.gz"].content + b"and more")
    assert get(corpus(server), tmp_path).files == 7
    assert [bool(each.wanted) for each in server.asked] == [True, False]


def test_a_server_that_ignores_range_is_read_from_the_start(server: HttpServer, tmp_path: Path) -> None:
    server.files["/good.tar.gz"].honours_range = False
    server.files["/good.tar.gz"].break_off = [3000, None]
    assert get(corpus(server), tmp_path).files == 7
    assert [each.wanted for each in server.asked] == ["", "bytes=3000-"]


def test_a_server_that_tells_no_length_serves_as_well(server: HttpServer, tmp_path: Path) -> None:
    server.files["/good.tar.gz"].tells_length = False
    assert get(corpus(server), tmp_path).files == 7


def test_a_busy_server_is_asked_again(server: HttpServer, tmp_path: Path) -> None:
    server.files["/good.tar.gz"].answers = [503, 429]
    assert get(corpus(server), tmp_path).files == 7
    assert len(server.asked) == 3


def test_a_file_that_never_comes_whole_is_an_error_and_what_came_is_kept(server: HttpServer, tmp_path: Path) -> None:
    server.files["/good.tar.gz"].always_cut = 100
    with pytest.raises(RuntimeMissingError, match="broke off"):
        get(corpus(server), tmp_path)
    assert left_behind(tmp_path) == set()
    kept = (tmp_path / ".downloads" / "mine" / "good.tar.gz.part").stat().st_size
    assert kept == len(server.files["/good.tar.gz"].content) - 100


def test_a_truncated_file_is_told_by_its_sum_and_removed(server: HttpServer, tmp_path: Path) -> None:
    wanted = corpus(server)
    whole = server.files["/good.tar.gz"].content
    server.files["/good.tar.gz"].content = whole[:-100]
    with pytest.raises(DataError, match="wrong checksum") as caught:
        get(wanted, tmp_path)
    assert hashlib.sha256(whole).hexdigest() in caught.value.allowed
    assert hashlib.sha256(whole[:-100]).hexdigest() in str(caught.value.received)
    assert f"{len(whole) - 100} bytes" in str(caught.value.received)
    assert {path.name for path in tmp_path.rglob("*") if path.is_file()} == {"lock"}


def test_after_a_wrong_sum_the_next_run_starts_afresh(server: HttpServer, tmp_path: Path) -> None:
    wanted, right = corpus(server), server.files["/good.tar.gz"].content
    server.files["/good.tar.gz"].content = b"<html>moved</html>"
    with pytest.raises(DataError, match="wrong checksum"):
        get(wanted, tmp_path)
    server.files["/good.tar.gz"].content = right
    assert get(wanted, tmp_path).files == 7
    assert server.asked[-1].wanted == ""


def test_md5_sums_are_checked_too(server: HttpServer, tmp_path: Path) -> None:
    right = "md5:" + hashlib.md5(server.files["/good.tar.gz"].content).hexdigest()
    with pytest.raises(DataError, match="wrong checksum"):
        get(corpus(server, checksum="md5:" + "0" * 32), tmp_path)
    assert get(corpus(server, checksum=right), tmp_path).files == 7


def test_without_a_published_sum_the_received_one_is_recorded_and_warned_of(server: HttpServer, tmp_path: Path) -> None:
    said: list[str] = []
    get(corpus(server, checksum=""), tmp_path, said=said)
    received = hashlib.sha256(server.files["/good.tar.gz"].content).hexdigest()
    assert received in said[-1]
    assert "nobody publishes" in said[-1]
    assert json.loads((tmp_path / "mine" / "fetched.json").read_text())["archives"][0]["sha256"] == received


def test_a_truncated_archive_without_a_sum_is_told_by_its_content(server: HttpServer, tmp_path: Path) -> None:
    for path, content in (("/good.tar.gz", tar_gz(GOOD)), ("/good.zip", zipped(GOOD))):
        server.files[path] = Served(content[:-5])
        with pytest.raises(DataError, match="truncated"):
            get(corpus(server, path, checksum=""), tmp_path)
        assert {each.name for each in tmp_path.rglob("*") if each.is_file()} == {"lock"}


def test_a_missing_file_is_told_with_its_address(server: HttpServer, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="404") as caught:
        get(corpus(server, "/gone.zip", size_bytes=10), tmp_path)
    assert caught.value.where == server.url + "/gone.zip"
    assert len(server.asked) == 1


def test_another_official_place_is_tried(server: HttpServer, tmp_path: Path) -> None:
    assert get(corpus(server, urls=(server.url + "/gone", server.url + "/good.tar.gz")), tmp_path).files == 7


def test_without_a_network_the_error_says_so(server: HttpServer, tmp_path: Path) -> None:
    # Nothing listens on port 9 of this machine; nothing leaves it.
    with pytest.raises(RuntimeMissingError, match="no network"):
        get(corpus(server, urls=("http://127.0.0.1:9/good.tar.gz",)), tmp_path)


def test_a_file_much_longer_than_it_should_be_is_not_taken(server: HttpServer, tmp_path: Path) -> None:
    server.files["/long.zip"] = Served(bytes(3_000_000))
    for tells_length in (True, False):
        server.files["/long.zip"].tells_length = tells_length
        with pytest.raises(DataError, match="much longer"):
            get(corpus(server, "/long.zip", size_bytes=1000), tmp_path)


def test_too_little_room_is_told_before_the_download(
    server: HttpServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: SimpleNamespace(free=100_000))
    with pytest.raises(StateError, match="not enough room"):
        get(corpus(server), tmp_path)
    assert server.asked == []


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full, a disk that is always full")
def test_a_disk_that_fills_up_during_the_download_is_told(server: HttpServer, tmp_path: Path) -> None:
    downloads = tmp_path / ".downloads" / "mine"
    downloads.mkdir(parents=True)
    os.symlink("/dev/full", downloads / "good.tar.gz.part")
    with pytest.raises(StateError, match="disk is full"):
        get(corpus(server), tmp_path)
    assert left_behind(tmp_path) == set()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full, a disk that is always full")
def test_a_disk_that_fills_up_during_unpacking_is_told(tmp_path: Path) -> None:
    (tmp_path / "a.tar.gz").write_bytes(tar_gz({"a.wav": sound()}))
    (tmp_path / "out").mkdir()
    os.symlink("/dev/full", tmp_path / "out" / "a.wav")
    with pytest.raises(StateError, match="disk is full"):
        unpack(tmp_path / "a.tar.gz", tmp_path / "out", limits=Limits(max_bytes=10**6))


HOSTILE: dict[str, Callable[[], bytes]] = {
    "parent.tar.gz": lambda: tar_gz({"../evil.wav": b"x"}),
    "hidden-parent.tar.gz": lambda: tar_gz({"corpus/../../evil.wav": b"x"}),
    "parent-inside.tar.gz": lambda: tar_gz({"corpus/../evil.wav": b"x"}),
    "absolute.tar.gz": lambda: tar_gz({"/tmp/voicelatch-evil.wav": b"x"}),
    "drive.tar.gz": lambda: tar_gz({"corpus/C:/evil.wav": b"x"}),
    "backslash.tar.gz": lambda: tar_gz({"..\\evil.wav": b"x"}),
    "symlink-out.tar.gz": lambda: tar_gz(GOOD, special("corpus/out", tarfile.SYMTYPE, "../../..")),
    "symlink-absolute.tar.gz": lambda: tar_gz(GOOD, special("corpus/out", tarfile.SYMTYPE, "/etc")),
    "hard-link-out.tar.gz": lambda: tar_gz(GOOD, special("corpus/out", tarfile.LNKTYPE, "../secret")),
    "hard-link-absolute.tar.gz": lambda: tar_gz(GOOD, special("corpus/out", tarfile.LNKTYPE, "/etc/passwd")),
    "device.tar.gz": lambda: tar_gz(GOOD, special("corpus/null", tarfile.CHRTYPE)),
    "disk.tar.gz": lambda: tar_gz(GOOD, special("corpus/sda", tarfile.BLKTYPE)),
    "fifo.tar.gz": lambda: tar_gz(GOOD, special("corpus/pipe", tarfile.FIFOTYPE)),
    "file-as-folder.tar.gz": lambda: tar_gz({"a": b"x", "a/b": b"y"}),
    "bomb.tar.gz": lambda: tar_gz(GOOD | {"corpus/zeros": bytes(20_000_000)}),
    "parent.zip": lambda: zipped({"../evil.wav": b"x"}),
    "absolute.zip": lambda: zipped({"/tmp/voicelatch-evil.wav": b"x"}),
    "symlink-out.zip": lambda: zipped(GOOD, link=("corpus/out", "../../etc/passwd")),
    "bomb.zip": lambda: zipped(GOOD | {"corpus/zeros": bytes(20_000_000)}),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_archive_is_refused_whole(name: str, server: HttpServer, tmp_path: Path) -> None:
    server.files["/" + name] = Served(HOSTILE[name]())
    to = tmp_path / "deep" / "er"
    with pytest.raises(DataError, match="the archive"):
        get(corpus(server, "/" + name, name=name), to)
    assert left_behind(to) == set()
    assert {path.name for path in tmp_path.rglob("*") if path.is_file() or path.is_symlink()} == {"lock"}
    assert not Path("/tmp/voicelatch-evil.wav").exists()


def test_too_many_files_are_refused(tmp_path: Path) -> None:
    for name, content in (("a.tar.gz", tar_gz(GOOD)), ("a.zip", zipped(GOOD))):
        (tmp_path / name).write_bytes(content)
        (tmp_path / f"{name}-out").mkdir()
        with pytest.raises(DataError, match="more than it should"):
            unpack(tmp_path / name, tmp_path / f"{name}-out", limits=Limits(max_bytes=10**8, max_files=3))


def test_a_zip_that_lies_about_its_sizes_is_refused(tmp_path: Path) -> None:
    content = zipped({"zeros.wav": bytes(5_000_000)})
    lying = content.replace((5_000_000).to_bytes(4, "little"), (10).to_bytes(4, "little"))
    assert lying != content
    (tmp_path / "a.zip").write_bytes(lying)
    (tmp_path / "out").mkdir()
    with pytest.raises(DataError):
        unpack(tmp_path / "a.zip", tmp_path / "out", limits=Limits(max_bytes=1_000_000))
    assert sum(path.stat().st_size for path in (tmp_path / "out").iterdir()) <= 1_000_000


def test_a_header_that_claims_to_be_huge_does_not_fill_the_memory(tmp_path: Path) -> None:
    info = tarfile.TarInfo("huge")
    info.type, info.size = tarfile.XHDTYPE, 4 << 30
    (tmp_path / "a.tar.gz").write_bytes(gzip.compress(info.tobuf(tarfile.USTAR_FORMAT) + bytes(4096)))
    (tmp_path / "out").mkdir()
    with pytest.raises(DataError, match="truncated, damaged") as caught:
        unpack(tmp_path / "a.tar.gz", tmp_path / "out", limits=Limits(max_bytes=10**6))
    assert "a header of" in str(caught.value.received)


def test_a_link_that_stays_inside_is_left_out_with_a_reason(server: HttpServer, tmp_path: Path) -> None:
    server.files["/linked.tar.gz"] = Served(tar_gz(GOOD, special("corpus/s0/same.wav", tarfile.SYMTYPE, "../s1/1.wav")))
    done = get(corpus(server, "/linked.tar.gz"), tmp_path)
    assert done.files == 7
    assert "links are not made" in done.rejected["corpus/s0/same.wav"]


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


def test_only_the_wanted_folders_are_kept(server: HttpServer, tmp_path: Path) -> None:
    assert get(corpus(server, only=("corpus/s1/", "corpus/s2/")), tmp_path).files == 2
    assert {path.name for path in (tmp_path / "mine" / "corpus").iterdir()} == {"s1", "s2"}


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


def test_a_check_that_is_interrupted_does_not_cost_the_download(
    server: HttpServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(*_: object, **__: object) -> bool:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("pooch.core.hash_matches", stop)
        with pytest.raises(KeyboardInterrupt):
            get(corpus(server), tmp_path)
    assert get(corpus(server), tmp_path).files == 7
    size = len(server.files["/good.tar.gz"].content)
    assert [each.wanted for each in server.asked] == ["", f"bytes={size}-"]


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
