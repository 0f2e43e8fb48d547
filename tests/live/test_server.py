"""The live feed's server: what is told to whom, and what hostile, slow and many readers cost."""

import base64
import json
import os
import stat
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from device.errors import LiveError
from device.live import server as server_module
from device.live.access import Role
from device.live.feed import Answered, LiveFeed, Opening, SoundLost
from device.live.peer import MAX_BEHIND_BYTES, Peer
from device.live.server import MAX_READERS, LiveServer
from device.simulated.clock import ManualClock
from tests.live.world import Reader, World


def test_whoever_comes_is_told_the_status_then_levels_and_events_as_they_happen(world: World) -> None:
    reader = world.join()
    (status,) = reader.take()
    assert (status["kind"], status["bundle"], status["held"]) == ("status", "demo", False)
    world.hear(12)
    world.happen("decision", outcome="open", scores={"Anna": 6.5})
    world.step()
    first, second, event = reader.take()
    assert first["kind"] == second["kind"] == "level"
    assert first["level_dbfs"] == pytest.approx(20 * np.log10(1000 / 32768), abs=0.1)
    assert first["peak_dbfs"] == first["level_dbfs"]
    assert (first["speech"], first["speech_seconds"], first["heard_seconds"]) == (True, 0.12, 0.12)
    assert (first["clip_seconds"], first["age_seconds"], first["clipped"]) == (1.5, 0.01, 0)
    assert event["event"]["kind"] == "decision"
    assert event["event"]["scores"] == {"Anna": 6.5}
    assert event["event"]["time"].startswith("2026-01-01T18:00:00.240")


def test_levels_come_five_to_ten_times_a_second(world: World) -> None:
    reader = world.join()
    reader.take()
    world.hear(500)
    assert 5 <= len(reader.take()) / 10 <= 10


def test_full_scale_is_counted_as_clipped_also_at_the_most_negative_value(world: World) -> None:
    reader = world.join()
    reader.take()
    world.hear(6, value=-32768)
    (level,) = reader.take()
    assert (level["clipped"], level["peak_dbfs"]) == (6 * 320, 0.0)


def test_without_a_reader_no_frame_is_handed_over(world: World) -> None:
    assert not world.feed.watched
    reader = world.join()
    assert world.feed.watched
    reader.socket.close()
    world.step()
    assert not world.feed.watched


def test_audio_comes_frame_by_frame_with_numbers_and_gaps(world: World) -> None:
    reader = world.join({"subscribe": ["audio"]})
    assert reader.kinds() == ["status", "subscribed"]
    world.hear(2, value=-7)
    world.feed.tell(SoundLost())
    world.hear(1)
    first, second, gap, third = reader.take()
    assert [each["number"] for each in (first, second, gap, third)] == [0, 1, 2, 2]
    assert gap["kind"] == "audio_gap"
    assert np.array_equal(np.frombuffer(base64.b64decode(first["samples"]), "<i2"), np.full(320, -7))


def test_a_hold_ends_with_its_connection(world: World) -> None:
    reader, other = world.join({"subscribe": ["audio"], "hold": True}), world.join()
    assert world.feed.held
    assert other.take()[0]["held"] is True
    reader.socket.close()
    world.step()
    assert not world.feed.held


def test_the_status_is_told_again_every_ten_seconds(world: World) -> None:
    reader = world.join()
    reader.take()
    for _ in range(25):
        world.clock.advance(1.0)
        world.step()
    assert reader.kinds() == ["status", "status"]


def test_whoever_asks_is_told_the_last_events_first(world: World) -> None:
    for number in range(150):
        world.happen("speech", number=number)
        world.step()
    reader = world.join({"subscribe": ["event"], "recent": 3})
    world.happen("gap", number=150)
    world.step()
    told = [each for each in reader.take() if each["kind"] == "event"]
    assert [(each["event"]["number"], each.get("recent", False)) for each in told] == [
        (147, True), (148, True), (149, True), (150, False)
    ]  # fmt: skip
    most = world.join({"subscribe": ["event"], "recent": 100})
    assert len([each for each in most.take() if each["kind"] == "event"]) == 100
    none = world.join({"subscribe": ["event"]})
    assert none.kinds() == ["status", "subscribed"]


def test_a_reader_that_takes_nothing_is_dropped_and_the_others_are_served(world: World) -> None:
    slow, good = world.join(), world.join()
    lost = 0
    for _ in range(3000):
        world.happen("decision", text="x" * 1000)
        world.step()
        lost += len(good.take())
    assert lost == 3001
    slow.take()
    assert slow.ended
    assert len(world.server._peers) == 1


def test_what_waits_for_a_slow_reader_is_bounded(world: World) -> None:
    world.join()
    (peer,) = world.server._peers
    for _ in range(3000):
        world.happen("decision", text="x" * 1000)
        world.server.step()
        assert peer._behind_bytes <= MAX_BEHIND_BYTES + 2000


def test_one_reader_too_many_is_turned_away(world: World) -> None:
    readers = [world.join() for _ in range(MAX_READERS + 1)]
    for reader in readers:
        reader.take()
    assert [reader.ended for reader in readers] == [False] * MAX_READERS + [True]
    readers[0].socket.close()
    world.step()
    late = world.join()
    assert late.kinds() == ["status"]


def test_whoever_asks_without_a_break_is_dropped_and_whoever_asks_now_and_then_is_not(world: World) -> None:
    patient, hasty = world.join(), world.join(*[{"subscribe": []}] * 21)
    assert hasty.kinds()[-1] == "refused"
    assert hasty.ended
    for _ in range(50):
        patient.say({"subscribe": []})
        world.step()
        world.clock.advance(0.1)
    assert "refused" not in patient.kinds()
    assert not patient.ended


def test_a_line_without_an_end_is_refused_and_not_kept(world: World) -> None:
    reader = world.join()
    for _ in range(5):
        # Longer than the longest question.
        reader.say(b"x" * 30_000)
        world.step()
    assert reader.kinds() == ["status", "refused"]
    assert reader.ended


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.binary(min_size=1, max_size=300) | st.sampled_from([b"\n", b'{"subscribe": []}\n']), max_size=8))
def test_whatever_one_reader_sends_another_is_served(world: World, chunks: list[bytes]) -> None:
    good, hostile = world.join(), world.join()
    good.take()
    for chunk in chunks:
        try:
            hostile.say(chunk)
        except OSError:
            break
        world.step()
    world.happen("gap")
    world.step()
    assert good.kinds() == ["event"]
    for reader in (good, hostile):
        reader.socket.close()
    world.step()


def test_the_door_loses_messages_rather_than_waits_when_the_server_is_stuck(tmp_path: Path) -> None:
    world = World(tmp_path, most_waiting=8)
    reader = world.join()
    for number in range(20):
        world.happen("gap", number=number)
    assert world.feed.lost == 12
    world.step()
    assert [each["event"]["number"] for each in reader.take() if each["kind"] == "event"] == list(range(8))
    world.server.close()


def test_an_event_that_cannot_be_written_as_json_is_told_as_text(world: World) -> None:
    reader = world.join()
    reader.take()
    world.happen("odd", what=Path("a"), half="\ud800")
    world.step()
    (event,) = reader.take()
    assert event["event"]["what"] == "a"


def test_without_a_server_a_feed_keeps_nothing() -> None:
    feed = LiveFeed()
    for _ in range(1000):
        feed.tell(SoundLost())
    assert feed.take() is None
    assert feed.lost == 0


def test_a_defect_of_the_waker_is_counted_and_not_raised() -> None:
    feed = LiveFeed()

    def fail() -> None:
        raise ZeroDivisionError

    feed.connect(fail)
    feed.tell(SoundLost())
    assert feed.lost == 1


def test_an_opening_is_laid_before_the_door_and_answered(world: World) -> None:
    reader = world.join({"open": {"by": "web: Anna", "asked_at_seconds": 0.0}})
    opening = world.feed.take_opening(world.clock)
    assert opening is not None
    assert (opening.by, opening.uid) == ("web: Anna", os.geteuid())
    world.feed.tell(Answered(opening=opening, reason=""))
    world.step()
    assert reader.take()[1:] == [{"kind": "open", "opened": True, "reason": ""}]


def test_an_opening_that_the_door_does_not_take_is_withdrawn(world: World) -> None:
    reader = world.join({"open": {"by": "web", "asked_at_seconds": 0.0}})
    world.clock.advance(2.1)
    world.step()
    assert world.feed.take_opening(world.clock) is None
    assert reader.take()[1] == {"kind": "open", "opened": False, "reason": "the door did not answer in time"}


def test_the_door_never_takes_an_opening_that_is_too_old(world: World) -> None:
    world.join({"open": {"by": "web", "asked_at_seconds": 0.0}})
    world.clock.advance(2.1)
    assert world.feed.take_opening(world.clock) is None


def test_whoever_hangs_up_is_not_let_in_any_more(world: World) -> None:
    reader = world.join({"open": {"by": "web", "asked_at_seconds": 0.0}})
    reader.socket.close()
    world.step()
    assert world.feed.take_opening(world.clock) is None


@pytest.mark.parametrize("age_seconds", [2.1, 40.0, 120.0, -0.5])
def test_an_opening_is_as_old_as_its_asking_though_it_arrives_only_now(world: World, age_seconds: float) -> None:
    world.clock.advance(1000.0)
    reader = world.join({"open": {"by": "mqtt", "asked_at_seconds": 1000.0 - age_seconds}})
    assert world.feed.take_opening(world.clock) is None
    answer = reader.take()[-1]
    assert answer["opened"] is False
    assert "asked for" in str(answer["reason"])


def test_two_openings_at_once_are_one(world: World) -> None:
    first, second = (
        world.join({"open": {"by": "a", "asked_at_seconds": 0.0}}),
        world.join({"open": {"by": "b", "asked_at_seconds": 0.0}}),
    )
    assert second.take()[1]["opened"] is False
    opening = world.feed.take_opening(world.clock)
    assert opening is not None
    assert opening.by == "a"
    assert first.kinds() == ["status"]


def test_an_answer_that_was_lost_is_not_waited_for_for_ever(world: World) -> None:
    world.join({"open": {"by": "a", "asked_at_seconds": 0.0}})
    assert world.feed.take_opening(world.clock) is not None
    world.clock.advance(10.0)
    world.step()
    assert world.server._asked == {}


def test_the_socket_is_for_its_owner_and_group_and_gone_after_the_end(world: World) -> None:
    assert stat.S_IMODE(world.path.stat().st_mode) == 0o660
    world.server.close()
    assert not world.path.exists()
    world.server.close()


def test_a_socket_left_behind_is_replaced_and_one_that_answers_is_not(world: World, tmp_path: Path) -> None:
    with pytest.raises(LiveError, match="another daemon"):
        LiveServer(world.path, LiveFeed(), clock=ManualClock(), status=dict)
    dead = tmp_path / "dead.sock"
    left = World(tmp_path / "x") if (tmp_path / "x").mkdir() is None else None
    assert left is not None
    os.rename(left.path, dead)
    left.server.close()
    again = LiveServer(dead, LiveFeed(), clock=ManualClock(), status=dict)
    again.close()


def test_a_file_that_is_no_socket_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "live.sock"
    path.write_text("mine")
    with pytest.raises(LiveError):
        LiveServer(path, LiveFeed(), clock=ManualClock(), status=dict)
    assert path.read_text() == "mine"


def test_a_defect_in_the_server_ends_the_feed_and_is_not_raised(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(server_module, "event_message", broken)
    reader = world.join()
    world.happen("gap")
    world.server._run()
    world.happen("gap")
    assert world.feed.take() is None
    assert not world.feed.watched
    reader.take()
    assert reader.ended


def test_on_its_thread_it_serves_and_ends(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.server.start()
    reader = Reader(world.path)
    reader.socket.settimeout(20.0)
    assert json.loads(reader.socket.makefile().readline())["kind"] == "status"
    world.happen("stopped")
    world.server.close()
    reader.socket.setblocking(False)
    assert [each["event"]["kind"] for each in reader.take()] == ["stopped"]
    assert reader.ended


def test_openings_are_told_apart_though_they_say_the_same() -> None:
    feed, clock = LiveFeed(), ManualClock()
    one, two = (Opening(by="a", uid=0, asked_at_seconds=0.0) for _ in range(2))
    assert feed.ask(one)
    assert not feed.ask(two)
    assert not feed.withdraw(two)
    assert feed.take_opening(clock) is one


def test_a_peer_that_is_gone_is_seen_as_such(world: World) -> None:
    reader = world.join()
    peer: Peer = world.server._peers[0]
    reader.socket.close()
    peer.put(b"x\n" * 10)
    assert not peer.flush()


def test_a_defect_at_one_reader_s_words_costs_that_reader_alone(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    other, hostile = world.join(), world.join()

    def stumble(_line: bytes) -> object:
        raise ZeroDivisionError("nobody thought of this")

    monkeypatch.setattr(server_module, "parse_request", stumble)
    hostile.say({"subscribe": []})
    world.step()
    assert hostile.kinds() == ["status"]
    assert hostile.ended
    world.happen("speech")
    world.step()
    assert other.kinds() == ["status", "event"]
    assert not other.ended


@pytest.mark.parametrize("role", [Role.PAGE, Role.GATEWAY])
def test_a_number_that_no_float_can_hold_does_not_end_the_feed(tmp_path: Path, role: Role) -> None:
    world = World(tmp_path, role=role)
    other, hostile = world.join(), world.join()
    hostile.say(b'{"open": {"by": "mqtt", "asked_at_seconds": 1' + b"0" * 400 + b"}}\n")
    world.step()
    assert hostile.kinds() == ["status", "refused"]
    world.happen("speech")
    world.step()
    assert other.kinds() == ["status", "event"]
    world.server.close()
