"""What browsers are told as it happens: who may listen, how many, and that nobody slow or gone is waited for."""

import http.client
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from device.web.broadcast import MOST_BEHIND, MOST_WATCHERS, Broadcast
from device.web.password import NAME, hash_password, write_password
from device.web.stream import CHECK_SECONDS, as_sent
from device.web.words import messages_of
from tests.web.world import Browser, World


class Stream:
    """An open stream; ``take`` waits for the next message."""

    def __init__(self, browser: Browser) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", browser.port, timeout=20.0)
        cookies = "; ".join(f"{name}={value}" for name, value in browser.cookies.items())
        self._connection.request("GET", "/stream", headers={"Cookie": cookies, "Accept": "text/event-stream"})
        self.answer = self._connection.getresponse()

    def take(self, kind: str) -> dict[str, Any]:
        while (line := self.answer.readline()) != f"event: {kind}\n".encode():
            assert line, "the stream has ended"
        data = self.answer.readline()
        assert data.startswith(b"data: ")
        told = json.loads(data.removeprefix(b"data: "))
        assert isinstance(told, dict)
        return told

    def ends(self) -> bool:
        """Wait for its end."""
        while self.answer.readline():
            continue
        return True

    def close(self) -> None:
        self.answer.close()
        self._connection.close()


@contextmanager
def streams(browser: Browser, count: int) -> Iterator[list[Stream]]:
    made = [Stream(browser) for _ in range(count)]
    try:
        yield made
    finally:
        for each in made:
            each.close()


def test_a_browser_is_told_what_is_known_and_then_what_happens(browser: Browser, world: World) -> None:
    world.broadcast.publish({"kind": "status", "listening": True})
    world.broadcast.publish({"kind": "happened", "headline": "long ago"})
    with streams(browser, 1) as (stream,):
        assert stream.answer.headers["Content-Type"].startswith("text/event-stream")
        assert stream.take("door") == {"kind": "door", "reachable": False}
        assert stream.take("status")["listening"] is True
        world.broadcast.publish({"kind": "level", "level_dbfs": -31.5})
        assert stream.take("level")["level_dbfs"] == -31.5
        world.broadcast.publish({"kind": "happened", "headline": "now"})
        assert stream.take("happened")["headline"] == "now"


def test_only_so_many_look_on_and_pages_are_still_served(browser: Browser) -> None:
    with streams(browser, MOST_WATCHERS):
        assert browser.get("/stream").status == 503
        assert browser.get("/health").status == 200


def test_whoever_has_left_makes_room(browser: Browser, world: World) -> None:
    with streams(browser, MOST_WATCHERS):
        pass
    for _ in range(200):
        # Telling somebody who is gone is how it is noticed.
        world.broadcast.publish({"kind": "level", "level_dbfs": 0.0})
        watcher = world.broadcast.watch()
        if watcher is not None:
            return
        threading.Event().wait(0.05)
    raise AssertionError("nobody was missed")


def test_a_stream_ends_with_its_session(browser: Browser, world: World) -> None:
    with streams(browser, 1) as (stream,):
        stream.take("door")
        write_password(world.folder / NAME, hash_password("another battery staple"))
        world.clock.advance(CHECK_SECONDS)
        world.broadcast.publish({"kind": "level", "level_dbfs": 0.0})
        assert stream.ends()


def test_closing_ends_every_stream(browser: Browser, world: World) -> None:
    with streams(browser, 2) as open_streams:
        world.broadcast.close()
        assert all(each.ends() for each in open_streams)
    assert browser.get("/stream").status == 503


def test_a_slow_browser_misses_the_oldest_and_holds_up_nobody() -> None:
    broadcast = Broadcast()
    watcher = broadcast.watch()
    assert watcher is not None
    for number in range(10 * MOST_BEHIND):
        broadcast.publish({"kind": "level", "number": number})
    taken = [watcher.take(wait_seconds=0.0) for _ in range(MOST_BEHIND)]
    assert [each["number"] for each in taken if each] == list(range(9 * MOST_BEHIND, 10 * MOST_BEHIND))
    assert watcher.take(wait_seconds=0.0) is None


def test_nobodys_name_can_end_a_message() -> None:
    sent = as_sent({"kind": "happened", "headline": "Anna\n\nevent: door\ndata: {}\r\n\u2028"})
    assert sent.count(b"\n") == 3
    assert sent.endswith(b"\n\n")
    assert b"\r" not in sent


def test_an_event_is_told_in_words_and_a_decision_with_its_scores() -> None:
    told = {"n": 5, "kind": "decision", "time": "2026-01-01T18:00:00.000+00:00", "outcome": "refuse",
            "resident": "Anna", "reason": "like nobody", "scores": {"Anna": -4.0}, "open_llr": 4.0, "refuse_llr": -3.0,
            "cosines": {"Anna": 0.1}}  # fmt: skip
    happened, decision = messages_of(told)
    assert happened["tone"] == "refused"
    assert happened["clock"] == "18:00:00"
    assert decision == {
        "kind": "decision",
        "headline": "The door stayed shut: the voice was like no resident's.",
        "reason": "like nobody",
        "scores": {"Anna": -4.0},
        "open_llr": 4.0,
        "refuse_llr": -3.0,
    }
    assert list(messages_of({"kind": "speech"})) == []
    assert [each["kind"] for each in messages_of({"kind": "remote_open", "by": "mqtt"})] == ["happened"]
