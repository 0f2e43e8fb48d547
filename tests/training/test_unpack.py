"""Hostile and damaged archives."""

from __future__ import annotations

import gzip
import os
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from device.errors import DataError, StateError
from tests.benches.http_server import HttpServer, Served, http_server
from tests.benches.public_corpus import GOOD, corpus, get, left_behind, sound, special, tar_gz, zipped
from training.corpus.unpack import Limits, unpack


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[HttpServer]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with http_server({"/good.tar.gz": Served(tar_gz(GOOD))}) as bench:
        yield bench


def test_nothing_unpacked_is_setuid_or_executable(server: HttpServer, tmp_path: Path) -> None:
    get(corpus(server), tmp_path)
    modes = {path.stat().st_mode & 0o7111 for path in (tmp_path / "mine").rglob("*") if path.is_file()}
    assert modes == {0}


def test_a_truncated_archive_without_a_sum_is_told_by_its_content(server: HttpServer, tmp_path: Path) -> None:
    for path, content in (("/good.tar.gz", tar_gz(GOOD)), ("/good.zip", zipped(GOOD))):
        server.files[path] = Served(content[:-5])
        with pytest.raises(DataError, match="truncated"):
            get(corpus(server, path, checksum=""), tmp_path)
        assert {each.name for each in tmp_path.rglob("*") if each.is_file()} == {"lock"}


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


def test_only_the_wanted_folders_are_kept(server: HttpServer, tmp_path: Path) -> None:
    assert get(corpus(server, only=("corpus/s1/", "corpus/s2/")), tmp_path).files == 2
    assert {path.name for path in (tmp_path / "mine" / "corpus").iterdir()} == {"s1", "s2"}
