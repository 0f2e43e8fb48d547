"""The pages of whoever has logged in: what they say, and that names and reasons remain text."""

import html
from dataclasses import replace

import pytest

from device.service.recordings import Shelf
from device.service.status import LastReload, Sighting, Status
from device.sound.wavfile import read_wav
from device.web.health import facts
from tests.web.world import ANNA, Browser, World

EVIL = "<script>alert('Anna')</script>"
ESCAPED = html.escape(EVIL)


def decision(world: World, **details: object) -> None:
    told = {"outcome": "open", "resident": "Anna", "reason": "sounds like Anna: +9.1 >= +4.0", "evidence": 9.1,
            "scores": {"Bruno": -8.0, "Anna": 9.1}, "cosines": {"Anna": 0.8}, "open_llr": 4.0, "refuse_llr": -3.0,
            "clips": 1, "speech_seconds": 2.9, "level_dbfs": -25.0}  # fmt: skip
    world.happen("decision", **(told | details))


def test_todays_visits_stand_there_with_the_reason_newest_first(browser: Browser, world: World) -> None:
    decision(world)
    world.clock.advance(60.0)
    decision(world, outcome="refuse", reason="like nobody: -4.2 < -3.0")
    world.happen("relay_off")
    page = browser.get("/events").text
    opened, refused = page.index("The door was opened for Anna."), page.index("like no resident")
    assert refused < opened
    assert html.escape("sounds like Anna: +9.1 >= +4.0") in page
    assert "18:01:00" in page
    assert "The latch" not in page


def test_trouble_and_everything_can_be_asked_for(browser: Browser, world: World) -> None:
    decision(world)
    world.happen("gap", reason="the microphone overflowed", lost_seconds=1.0)
    world.happen("relay_off")
    trouble = browser.get("/events?show=trouble").text
    assert "the microphone overflowed" in trouble
    assert "opened for Anna" not in trouble
    everything = browser.get("/events?show=all").text
    assert "the microphone overflowed" in everything
    assert "opened for Anna" in everything
    assert "The latch holds again." in everything


def test_another_day_is_another_page(browser: Browser, world: World) -> None:
    decision(world)
    world.clock.advance(86_400.0)
    browser.come_in(world)
    assert "Nothing of that kind" in browser.get("/events").text
    page = browser.get("/events?day=2026-01-01").text
    assert "opened for Anna" in page
    assert "/events?day=2026-01-02" in page
    assert "Nothing of that kind" in browser.get("/events?day=2025-12-31").text


@pytest.mark.parametrize("query", ["day=tomorrow", "day=9999-12-31", "day=0001-01-01", "day=%00", "show=%3Cb%3E"])
def test_a_day_that_is_none_harms_nothing(browser: Browser, world: World, query: str) -> None:
    decision(world)
    answer = browser.get(f"/events?{query}")
    assert answer.status == 200
    assert "<b>" not in answer.text


def test_a_decision_says_why_with_everybodys_score(browser: Browser, world: World) -> None:
    decision(world, kept_clip="a clip.wav")
    page = browser.get("/events/1").text
    assert page.index("+9.10") < page.index("-8.00")
    assert "together it takes +4.0 to open" in page
    assert "/clips#a%20clip.wav" in page
    assert "0.80" in page
    assert browser.get("/events/2").status == 404
    assert browser.get("/events/x").status == 404


def test_a_log_that_is_not_there_is_said_and_not_a_defect(browser: Browser, world: World) -> None:
    decision(world)
    world.events.close()
    (world.folder / "events.db").unlink()
    answer = browser.get("/events")
    assert answer.status == 400
    assert "there is no event log here" in answer.text
    assert str(world.folder) not in answer.text


def test_names_and_reasons_are_text_wherever_they_stand(browser: Browser, world: World) -> None:
    decision(world, resident=EVIL, reason=EVIL, scores={EVIL: 1.0}, kept_clip=f'"{EVIL}')
    world.happen("remote_open", by=EVIL)
    world.happen(EVIL, reason=EVIL)
    Shelf(world.folder).keep(read_wav(ANNA), "allowed", EVIL.replace("/", "_"), "2026-01-01")
    world.keep_clip(EVIL.replace("/", "%2f"))
    world.seen = Sighting(problem=EVIL)
    for path in ("/events?show=all", "/events/1", "/events/2", "/events/3", "/clips", "/record", "/health"):
        page = browser.get(path).text
        assert "<script>" not in page, path
        assert "&lt;script&gt;" in page, path


def test_a_clip_is_heard_and_labelled_and_goes_to_the_recordings(browser: Browser, world: World) -> None:
    name = world.keep_clip()
    page = browser.get("/clips").text
    assert name in page
    heard = browser.get(f"/clips/{name}")
    assert (heard.status, heard.headers["Content-Type"]) == (200, "audio/wav")
    assert heard.headers["Content-Length"] == str(ANNA.stat().st_size)
    answer = browser.post(f"/clips/{name}", {"csrf": browser.csrf(), "resident": "Bruno"})
    assert (answer.status, answer.headers["Location"]) == (303, "/clips?done=labelled")
    assert [each.parent.parent.name for each in (world.folder / "recordings/allowed").rglob("*.wav")] == ["Bruno"]
    page = browser.get("/clips?done=labelled").text
    assert "The next refresh learns from that clip." in page
    assert name not in page


def test_a_stranger_stays_one_and_a_clip_can_be_deleted(browser: Browser, world: World) -> None:
    first, second, third = world.keep_clip(), world.keep_clip(), world.keep_clip()
    token = browser.csrf()
    assert browser.post(f"/clips/{first}", {"csrf": token, "what": "stranger"}).status == 303
    assert browser.post(f"/clips/{second}", {"csrf": token, "what": "stranger", "known_as": "Eva"}).status == 303
    assert (
        browser.post(f"/clips/{third}", {"csrf": token, "what": "delete"}).headers["Location"] == "/clips?done=deleted"
    )
    people = {each.name for each in (world.folder / "recordings/others").iterdir()}
    assert people == {"Eva", "visitor-20260101T1800"}
    assert not list((world.folder / "clips").iterdir())
    assert not (world.folder / "recordings/allowed").exists()


@pytest.mark.parametrize("form", [
    {"resident": "Mallory"}, {"resident": "../Anna"}, {"what": "stranger", "known_as": "../../etc"}, {},
    {"what": "stranger", "known_as": "Anna"}, {"what": "something"},
])  # fmt: skip
def test_a_label_that_is_none_leaves_the_clip_where_it_is(browser: Browser, world: World, form: dict[str, str]) -> None:
    name = world.keep_clip()
    assert browser.post(f"/clips/{name}", {"csrf": browser.csrf(), **form}).status == 400
    assert (world.folder / "clips" / name).exists()
    assert not (world.folder / "recordings").exists() or not list((world.folder / "recordings").rglob("*.wav"))


@pytest.mark.parametrize("name", [
    "..%2fweb-password", "../web-password", "..%252fweb-password", "%2e%2e/web-password", "/etc/passwd", "%00",
    "..\\web-password", "20260101T180000.000000-9-..%2f-refuse.wav", "20260101T180000.000000-9-Anna-refuse.wav",
    "link", "20260101T180000.000000-7-link-refuse.wav",
])  # fmt: skip
def test_no_name_of_a_clip_leads_to_another_file(browser: Browser, world: World, name: str) -> None:
    world.keep_clip()
    for link in ("link", "20260101T180000.000000-7-link-refuse.wav"):
        (world.folder / "clips" / link).symlink_to(world.folder / "web-password")
    answer = browser.get(f"/clips/{name}")
    assert answer.status in (400, 404)
    assert "scrypt" not in answer.text
    assert browser.post(f"/clips/{name}", {"csrf": browser.csrf(), "what": "delete"}).status in (400, 404, 405)
    assert (world.folder / "web-password").exists()


@pytest.mark.parametrize("name", ["../web-password", "..%2fsite.py", "%2e%2e%2fsite.py", "site.py", "", "."])
def test_only_the_pages_own_files_are_given_away(browser: Browser, name: str) -> None:
    assert browser.get(f"/static/{name}").status == 404
    assert browser.get("/static/live.js").headers["Content-Type"].startswith("text/javascript")


def test_a_page_that_shows_a_recording_is_told_when_it_is_over(browser: Browser, world: World) -> None:
    form = {"csrf": browser.csrf()}
    assert browser.post("/record/here", form).status == 205
    assert browser.post("/record/start", {**form, "role": "allowed", "person": "../x"}).status == 400
    assert browser.post("/record/start", {**form, "role": "resident", "person": "Anna"}).status == 400
    assert not world.recorder.state.running


def test_nothing_on_the_page_opens_the_door(browser: Browser) -> None:
    for path in ("/open", "/door", "/door/open", "/remote/open"):
        assert browser.post(path, {"csrf": browser.csrf()}).status in (404, 405)


def test_a_door_that_listens_is_well_and_one_that_is_away_is_not(browser: Browser, world: World) -> None:
    assert "Look at this" in browser.get("/health").text
    world.broadcast.publish({"kind": "door", "reachable": True})
    world.broadcast.publish({"kind": "status", "listening": True, "uptime_seconds": 90_061.0, "memory_bytes": 7e7,
                             "lost": 0, "held": False})  # fmt: skip
    status = Status(state="listening", pid=1, bundle="household-3", sequence=3, loaded_at="2026-01-01T17:00:00+00:00")
    world.seen = Sighting(status=status, alive=True)
    page = browser.get("/health").text
    assert "Look at this" not in page
    for told in ("listening", "household-3 #3", "1 d 1 h", "70 MB"):
        assert told in page
    world.broadcast.publish({"kind": "door", "reachable": False})
    assert "away (its last word was: listening)" in browser.get("/health").text
    refused = LastReload(ok=False, reason="too few bytes (SHA256SUMS)", at="2026-01-01T17:30:00+00:00", count=1)
    world.seen = Sighting(status=replace(status, last_reload=refused), alive=True)
    assert "refused: too few bytes (SHA256SUMS)" in browser.get("/health").text


def test_heat_and_a_held_door_are_said() -> None:
    told = {"listening": True, "held": True, "lost": 3}
    rows = {each.name: each for each in facts(told, Sighting(), reachable=True, celsius=81.0)}
    assert "no voice opens the door" in rows["Held"].value
    assert not rows["Temperature"].well
    assert not rows["Lost on the way to this page"].well
    assert "Temperature" not in {each.name for each in facts(told, Sighting(), reachable=True, celsius=None)}
