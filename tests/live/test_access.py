"""Who may ask the daemon what: the table, and what becomes of whoever asks for more."""

import json
import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from device.live.access import MOST_PEERS, QUESTIONS, RIGHTS, Role, access_of_this_machine, question_right
from device.live.answering import Asker
from device.live.holds import LONGEST_HOLD_SECONDS, REST_SECONDS
from device.live.refusals import MOST_USERS, REPORT_SECONDS, Refusals
from device.live.requests import Question
from device.live.server import MAX_READERS
from tests.live.world import Reader, World

WEB, GATEWAY, DAEMON = 901, 902, 900
SUBSCRIPTIONS: list[dict[str, Any]] = [{"subscribe": [topic]} for topic in ("level", "event", "status", "audio")]
HOLDING: dict[str, Any] = {"subscribe": ["audio"], "hold": True}
ASKING: list[dict[str, Any]] = [{"ask": name, "with": {}} for name in sorted(QUESTIONS)]
OPENING: dict[str, Any] = {"open": {"by": "somebody", "asked_at_seconds": 0.0}}
EVERYTHING = [*SUBSCRIPTIONS, HOLDING, *ASKING, OPENING]


class Echo:
    """Answers everything."""

    def answer(self, question: Question, asker: Asker) -> Mapping[str, object]:
        return {"asked": question.name}


def outcome(folder: Path, role: Role, request: Mapping[str, Any]) -> str:
    """``refused``, or the kind of what came of it."""
    world = World(folder, role=role, answerer=Echo())
    try:
        reader = Reader(world.path)
        reader.say(request)
        world.step()
        if "open" in request:
            return "open" if world.feed.asked else "refused"
        kinds = reader.kinds()
        return "refused" if not kinds else next(
            (kind for kind in kinds if kind in ("refused", "answer", "subscribed")), "refused"
        )  # fmt: skip
    finally:
        world.server.close()


def test_the_table_is_what_it_is() -> None:
    asks = {question_right(name) for name in QUESTIONS}
    assert {
        Role.OWNER: {"level", "event", "status", "audio", "hold", "open", *asks},
        Role.PAGE: {"level", "event", "status", "audio", "hold", *asks},
        Role.GATEWAY: {"level", "event", "status", "open"},
        Role.NOBODY: set(),
    } == RIGHTS
    assert all(MOST_PEERS[role] < MAX_READERS / 2 for role in (Role.PAGE, Role.GATEWAY)), "they keep the others out"


@pytest.mark.parametrize("request_", EVERYTHING, ids=json.dumps)
def test_each_role_gets_what_the_table_gives_it_and_is_refused_the_rest(
    tmp_path: Path, request_: dict[str, Any]
) -> None:
    page = {"level", "event", "status", *QUESTIONS} - {"take_part", "save_take"}
    for role, allowed in ((Role.OWNER, None), (Role.PAGE, page), (Role.GATEWAY, {"level", "event", "status"}),
                          (Role.NOBODY, set[str]())):  # fmt: skip
        folder = tmp_path / role.value
        folder.mkdir()
        named = request_.get("ask") or "".join(request_.get("subscribe", ["open"]))
        may = allowed is None or (named in allowed and not ("ask" in request_ and role is Role.GATEWAY))
        may = may or (role is Role.PAGE and request_ == HOLDING) or (role is Role.GATEWAY and request_ == OPENING)
        assert (outcome(folder, role, request_) != "refused") is may, (role, request_)


def test_roles_are_found_by_the_names_of_users_once_and_the_own_user_may_all() -> None:
    known = {"voicelatch-web": WEB, "voicelatch-gateway": GATEWAY}
    access = access_of_this_machine(own_uid=DAEMON, uid_of=known.__getitem__)
    assert [access.role_of(uid) for uid in (0, DAEMON, WEB, GATEWAY, 65534)] == [
        Role.OWNER, Role.OWNER, Role.PAGE, Role.GATEWAY, Role.NOBODY,
    ]  # fmt: skip


def test_in_a_checkout_without_those_users_the_own_user_may_all() -> None:
    def nobody(_name: str) -> int:
        raise KeyError

    access = access_of_this_machine(own_uid=1000, uid_of=nobody)
    assert access.role_of(1000) is Role.OWNER
    assert access.role_of(1001) is Role.NOBODY
    assert access_of_this_machine(uid_of=nobody).role_of(os.geteuid()) is Role.OWNER


def test_a_stranger_hears_nothing_is_hung_up_on_and_told_of(tmp_path: Path) -> None:
    world = World(tmp_path, role=Role.NOBODY)
    reader = world.join()
    assert reader.take() == []
    assert reader.ended
    note = world.feed.take_note()
    assert note is not None
    assert (note.kind, note.details["uid"], note.details["role"]) == ("request_refused", os.geteuid(), "nobody")
    world.server.close()


def test_what_is_refused_is_counted_and_told_in_one_event_in_ten_minutes(tmp_path: Path) -> None:
    world = World(tmp_path, role=Role.PAGE)
    for _ in range(5):
        assert world.join(OPENING).take()[-1]["kind"] == "refused"
    assert world.server.refusals.total == 5
    assert world.join().take()[0]["refused_requests"] == 5
    note = world.feed.take_note()
    assert note is not None
    assert note.details == {"uid": os.geteuid(), "role": "page", "asked": "open", "unreported": 0}
    assert world.feed.take_note() is None
    world.clock.advance(REPORT_SECONDS)
    world.join(OPENING)
    note = world.feed.take_note()
    assert note is not None
    assert note.details["unreported"] == 4
    assert not world.feed.asked, "an opening reached the door"
    world.server.close()


def test_however_many_users_ask_what_is_remembered_of_them_is_bounded(world: World) -> None:
    refusals = Refusals(world.feed, world.clock)
    for uid in range(10 * MOST_USERS):
        refusals.count(uid, Role.NOBODY, "x" * 1000)
    assert len(refusals._due_seconds) <= MOST_USERS
    notes = [note for _ in range(100) if (note := world.feed.take_note()) is not None]
    assert len(notes) <= 16
    assert all(len(str(note.details["asked"])) <= 200 for note in notes)


def test_the_page_saves_a_recording_only_while_it_holds_the_door(tmp_path: Path) -> None:
    world = World(tmp_path, role=Role.PAGE, answerer=Echo())
    part = {"ask": "take_part", "with": {}}
    assert world.join(part).kinds()[-1] == "refused"
    holder = world.join(HOLDING)
    assert world.join(part).kinds()[-1] == "answer"
    holder.socket.close()
    world.step()
    assert world.join(part).kinds()[-1] == "refused"
    world.server.close()


def test_the_page_cannot_hold_the_door_for_ever_and_the_daemon_s_own_user_can(tmp_path: Path) -> None:
    for role, held in ((Role.PAGE, False), (Role.OWNER, True)):
        (tmp_path / role.value).mkdir()
        world = World(tmp_path / role.value, role=role)
        reader = world.join(HOLDING)
        # Asking again does not begin it anew.
        for _ in range(4):
            world.clock.advance(LONGEST_HOLD_SECONDS / 4)
            reader.say(HOLDING)
            world.step()
        assert world.feed.held
        world.clock.advance(1.0)
        world.step()
        assert world.feed.held is held
        world.server.close()


def test_the_page_that_holds_the_door_again_and_again_leaves_it_free_in_between(tmp_path: Path) -> None:
    world = World(tmp_path, role=Role.PAGE)
    holder = world.join(HOLDING)
    free_seconds, longest_held_seconds, held_seconds = 0.0, 0.0, 0.0
    for second in range(4000):
        world.clock.advance(1.0)
        world.step()
        holder.take()
        # Let go for a moment, take it by another connection, come back after each end: whatever keeps it held.
        if holder.ended or second % 300 == 299:
            holder.socket.close()
            world.step()
            holder = world.join(HOLDING)
            holder.take()
        free_seconds += not world.feed.held
        held_seconds = held_seconds + 1.0 if world.feed.held else 0.0
        longest_held_seconds = max(longest_held_seconds, held_seconds)
    assert longest_held_seconds <= LONGEST_HOLD_SECONDS + 2.0
    assert free_seconds >= 3 * REST_SECONDS
    world.server.close()


def test_two_connections_of_the_page_that_take_turns_are_one_stretch(tmp_path: Path) -> None:
    world = World(tmp_path, role=Role.PAGE)
    one, other = world.join(HOLDING), world.join()
    with suppress(BrokenPipeError):
        for _ in range(10):
            world.clock.advance(LONGEST_HOLD_SECONDS / 8)
            for reader, request in ((other, HOLDING), (one, {"subscribe": []})):
                reader.say(request)
                world.step()
                reader.take()
            one, other = other, one
        raise AssertionError("it was held for ever")
    assert not world.feed.held
    world.clock.advance(REST_SECONDS)
    assert world.join(HOLDING).kinds()[-1] == "subscribed"
    assert world.feed.held
    world.server.close()


@pytest.mark.parametrize("role", [Role.PAGE, Role.GATEWAY])
def test_neither_page_nor_gateway_takes_every_place(tmp_path: Path, role: Role) -> None:
    world = World(tmp_path, role=role)
    readers = [world.join() for _ in range(MAX_READERS)]
    for reader in readers:
        reader.take()
    assert sum(not reader.ended for reader in readers) == MOST_PEERS[role]
    world.server.close()


def test_a_long_line_is_kept_for_nobody_who_has_no_question_to_ask(tmp_path: Path) -> None:
    world = World(tmp_path, role=Role.GATEWAY)
    reader = world.join(b"x" * 3000)
    assert reader.kinds() == ["status", "refused"]
    assert reader.ended
    world.server.close()
