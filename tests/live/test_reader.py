"""A reader at a real server on its thread."""

import json
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from device.errors import LiveError
from device.live.feed import Answered, Heard
from device.live.reader import LiveReader, frame_of
from device.sound.pcm import Frame
from tests.live.world import World


@pytest.fixture
def served(tmp_path: Path) -> Iterator[World]:
    world = World(tmp_path)
    world.server.start()
    yield world
    world.server.close()


def heard(world: World, reader: LiveReader, kind: str) -> dict[str, object]:
    while (message := reader.read(timeout_seconds=20.0))["kind"] != kind:
        pass
    return message


def test_a_reader_gets_events_levels_and_sound(served: World) -> None:
    with LiveReader(served.path, topics=["event", "level", "audio"], hold=True) as reader:
        assert served.feed.held
        frame = np.arange(320, dtype=np.int16)
        served.feed.tell(Heard(frame=Frame(frame, 1.5), speech=True, clip_seconds=0.0, age_seconds=0.0))
        served.happen("gap")
        got = frame_of(heard(served, reader, "audio"))
        assert np.array_equal(got.samples, frame)
        assert got.ended_at_seconds == 1.5
        assert heard(served, reader, "event")["event"]["kind"] == "gap"  # type: ignore[index]


def test_a_reader_without_a_daemon_says_so(tmp_path: Path) -> None:
    with pytest.raises(LiveError, match="no daemon answers"):
        LiveReader(tmp_path / "live.sock")


def test_an_unknown_topic_is_refused_at_once(served: World) -> None:
    with pytest.raises(LiveError, match="unknown topic"):
        LiveReader(served.path, topics=["everything"])


def test_the_end_of_the_daemon_is_an_error(served: World) -> None:
    with LiveReader(served.path) as reader:
        assert reader.read()["bundle"] == "demo", "the status comes first"
        served.server.close()
        with pytest.raises(LiveError, match="hung up"):
            reader.read()


def test_nothing_to_read_is_a_timeout_where_one_was_given_and_an_error_where_not(served: World) -> None:
    with LiveReader(served.path, topics=["event"], patience_seconds=0.05) as reader:
        with pytest.raises(TimeoutError):
            reader.read(timeout_seconds=0.01)
        with pytest.raises(LiveError, match="silent"):
            reader.read()


def test_the_door_s_answer_to_an_opening_is_given_back(served: World) -> None:
    def door(reason: str) -> None:
        while (opening := served.feed.take_opening(served.clock)) is None:
            pass
        served.feed.tell(Answered(opening=opening, reason=reason))

    with LiveReader(served.path, topics=[]) as reader:
        for reason in ("", "remote openings are not allowed"):
            thread = threading.Thread(target=door, args=(reason,))
            thread.start()
            assert reader.open("web: Anna", asked_at_seconds=0.0) == reason
            thread.join()
        assert "unusable name" in reader.open("", asked_at_seconds=0.0)


@pytest.mark.parametrize("line", [b"[]\n", b"{}\n", b'{"kind": 1}\n', b"nonsense\n", b"\xff\n", b"x" * 200_000])
def test_a_daemon_that_makes_no_sense_is_an_error(tmp_path: Path, line: bytes) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        listener.bind(str(tmp_path / "s"))
        listener.listen(1)

        def answer() -> None:
            connection, _ = listener.accept()
            with connection:
                assert connection.recv(1024)
                connection.sendall(json.dumps({"kind": "subscribed"}).encode() + b"\n" + line)

        thread = threading.Thread(target=answer, daemon=True)
        thread.start()
        with LiveReader(tmp_path / "s") as reader, pytest.raises(LiveError):
            reader.read()
        thread.join(20.0)


@pytest.mark.parametrize("message", [{}, {"samples": "!", "at_seconds": 1}, {"samples": "AAAA", "at_seconds": 1}])
def test_what_is_no_frame_is_an_error(message: dict[str, object]) -> None:
    with pytest.raises(LiveError):
        frame_of(message)
