"""Downloads that break off, servers that misbehave, wrong sums, no network, a full disk."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from device.errors import DataError, RuntimeMissingError, StateError
from tests.benches.http_server import HttpServer, Served, http_server
from tests.benches.public_corpus import GOOD, corpus, get, left_behind, tar_gz


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[HttpServer]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with http_server({"/good.tar.gz": Served(tar_gz(GOOD))}) as bench:
        yield bench


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


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full, a disk that is always full")
def test_a_disk_that_fills_up_during_the_download_is_told(server: HttpServer, tmp_path: Path) -> None:
    downloads = tmp_path / ".downloads" / "mine"
    downloads.mkdir(parents=True)
    os.symlink("/dev/full", downloads / "good.tar.gz.part")
    with pytest.raises(StateError, match="disk is full"):
        get(corpus(server), tmp_path)
    assert left_behind(tmp_path) == set()


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
