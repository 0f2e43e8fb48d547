"""Questions about the daemon's files: answered one after another, and nobody else waits for them."""

import threading
from collections.abc import Mapping
from pathlib import Path

import pytest

from device.errors import DataError, LiveError, StateError
from device.live.access import Role
from device.live.answering import MAX_ANSWER_BYTES, MOST_WAITING, Answering, Asker
from device.live.reader import LiveReader, answer_of
from device.live.requests import MAX_QUESTION_BYTES, Question
from tests.live.world import Reader, World

ASK = {"ask": "event", "with": {"n": 7}}


class Files:
    """What an answer comes to; ``gate`` is waited for first, as for a slow disk."""

    def __init__(self) -> None:
        self.gate, self.asked = threading.Event(), list[Question]()
        self.gate.set()
        self.error: Exception | None = None
        self.result: Mapping[str, object] = {"event": None}

    def answer(self, question: Question, asker: Asker) -> Mapping[str, object]:
        self.asked.append(question)
        assert self.gate.wait(30.0)
        if self.error is not None:
            raise self.error
        return self.result


def test_a_question_is_answered_to_whoever_asked_and_to_nobody_else(tmp_path: Path) -> None:
    files = Files()
    world = World(tmp_path, answerer=files)
    other = world.join({"subscribe": []})
    other.take()
    reader = world.join({"subscribe": []}, ASK)
    assert reader.take()[-1] == {"kind": "answer", "answer": {"event": None}}
    assert other.take() == []
    assert files.asked == [Question(name="event", details={"n": 7})]
    world.server.close()


@pytest.mark.parametrize(("error", "told"), [
    (DataError("there is none", received="7", next_step="look again"), DataError),
    (StateError("a bad disk"), StateError), (LiveError("not now"), LiveError),
    (ZeroDivisionError("a defect"), LiveError), (RecursionError(), LiveError),
])  # fmt: skip
def test_what_goes_wrong_is_said_and_the_next_question_is_answered(
    tmp_path: Path, error: Exception, told: type[Exception]
) -> None:
    files = Files()
    world, files.error = World(tmp_path, answerer=files), error
    reader = world.join({"subscribe": []}, ASK)
    with pytest.raises(told):
        answer_of(reader.take()[-1])
    files.error = None
    reader.say(ASK)
    world.step()
    assert reader.take() == [{"kind": "answer", "answer": {"event": None}}]
    world.server.close()


def test_no_path_of_the_daemon_is_in_an_error(tmp_path: Path) -> None:
    files = Files()
    world, files.error = World(tmp_path, answerer=files), DataError("there is none", where="/var/lib/voicelatch/x")
    reader = world.join({"subscribe": []}, ASK)
    assert "/var/lib" not in str(reader.take())
    world.server.close()


def test_a_second_question_before_the_answer_is_hung_up_on(tmp_path: Path) -> None:
    world = World(tmp_path, answerer=Files())
    reader = world.join(ASK, ASK)
    assert "one question at a time" in str(reader.take())
    assert reader.ended
    world.server.close()


def test_whoever_is_gone_before_the_answer_costs_nothing(tmp_path: Path) -> None:
    world = World(tmp_path, answerer=Files())
    reader = Reader(world.path)
    reader.say(ASK)
    world.server.step()
    world.server.step()
    reader.socket.close()
    world.step()
    assert world.join(ASK).kinds()[-1] == "answer"
    world.server.close()


def test_an_answer_that_is_too_long_is_not_sent_and_says_so(tmp_path: Path) -> None:
    files = Files()
    world, files.result = World(tmp_path, answerer=files), {"text": "x" * MAX_ANSWER_BYTES}
    reader = world.join({"subscribe": []}, ASK)
    with pytest.raises(DataError, match="too long"):
        answer_of(reader.take()[-1])
    world.server.close()


def test_without_files_a_question_is_answered_all_the_same(world: World) -> None:
    with pytest.raises(LiveError, match="no questions"):
        answer_of(world.join(ASK).take()[-1])


def test_a_line_of_a_question_is_bounded(world: World) -> None:
    reader = world.join()
    line = b'{"ask": "take_part", "with": {"samples": "' + b"A" * MAX_QUESTION_BYTES + b'"}}\n'
    for start in range(0, len(line), 60_000):
        try:
            reader.say(line[start : start + 60_000])
        except OSError:
            break
        world.step()
    assert reader.kinds()[-1] == "refused"
    assert reader.ended


def test_more_questions_than_can_wait_are_answered_with_that() -> None:
    answering = Answering(Files(), wake=lambda: None)
    asker = Asker(role=Role.PAGE, uid=1)
    for _ in range(MOST_WAITING + 1):
        answering.submit(Question(name="event", details={}), asker)
    item = answering.take()
    assert item is not None
    assert b"too many questions" in item[1]


def test_while_a_disk_hangs_levels_and_events_come_as_ever_and_the_end_is_not_waited_for(tmp_path: Path) -> None:
    files = Files()
    files.gate.clear()
    world = World(tmp_path, answerer=files)
    world.server.start()
    try:
        with LiveReader(world.path, topics=["level", "event"]) as reader:
            asking = Reader(world.path)
            asking.say(ASK)
            while not files.asked:
                threading.Event().wait(0.01)
            for _ in range(3):
                world.happen("speech")
                assert reader.read(timeout_seconds=10.0)["kind"] == "event"
            assert "answer" not in asking.kinds()
            files.gate.set()
    finally:
        world.server.close()
    assert not world.path.exists()
