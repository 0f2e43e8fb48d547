"""The page in a real browser: what somebody sees, hears read out, types and presses; on a phone, in the dark."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from selenium.webdriver.common.keys import Keys

from device.enrolment.prompts import prompts_for
from device.ports import Microphone
from device.service.recordings import Shelf
from device.simulated.clock import ManualClock
from device.simulated.microphone import SimulatedMicrophone, silence
from device.sound.pcm import Frame, Gap
from device.sound.wavfile import read_wav
from device.web.words import messages_of
from tests.benches.chromium import Window, chromium
from tests.web.world import ANNA, HASH, PASSWORD, World

EVIL = "<img src=x onerror=document.title='evil'>"
PAGES = ("/", "/events?show=all", "/events/1", "/clips", "/record", "/health")
SIZES = ((320, 640), (390, 844), (1280, 800))


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Window]:
    with chromium(tmp_path_factory.mktemp("chromium")) as made:
        yield made


@pytest.fixture
def window(browser: Window, world: World) -> Iterator[Window]:
    """Logged in, nothing opened yet."""
    come_in(browser, world)
    yield browser
    browser.driver.get("about:blank")


def come_in(window: Window, world: World) -> None:
    window.driver.get(f"{world.address}/login")
    window.driver.delete_all_cookies()
    token = world.entrance.sessions.start(HASH.line)
    window.driver.add_cookie({"name": "voicelatch", "value": token, "httpOnly": True, "sameSite": "Strict"})
    window.complaints()


def fill(world: World) -> None:
    """Something on every page, from people with long and with evil names."""
    scores = {"Anna": 9.1, EVIL: -8.2, "Maximiliane-Friederike von und zu Hohenstein": 1.0}
    world.happen("decision", outcome="open", resident="Anna", reason="sounds like Anna: +9.1 >= +4.0", scores=scores,
                 cosines={"Anna": 0.8}, open_llr=4.0, refuse_llr=-3.0, kept_clip="x.wav")  # fmt: skip
    world.happen("decision", outcome="refuse", resident=EVIL, reason=EVIL, scores=scores, open_llr=4.0, refuse_llr=-3.0)
    world.happen("gap", reason="the microphone overflowed")
    world.keep_clip()
    shelf = Shelf(world.folder)
    for name in ("Anna", EVIL, "Maximiliane-Friederike von und zu Hohenstein"):
        shelf.keep(read_wav(ANNA), "allowed", name, "2026-01-01")


def test_somebody_logs_in_by_keyboard_and_out_again(browser: Window, world: World) -> None:
    browser.driver.get(world.address)
    browser.driver.delete_all_cookies()
    browser.driver.get(world.address)
    assert browser.driver.current_url.endswith("/login")
    typing = browser.types_into("password")
    typing.send_keys("incorrect horse" + Keys.ENTER)
    browser.sees("[role=alert]", "That is not the password.")
    browser.at("#password").send_keys(PASSWORD + Keys.ENTER)
    browser.sees("h1", "Live")
    assert browser.driver.execute_script("return document.cookie") == "", "no script can read the session"
    browser.at("form.logout button").click()
    browser.sees("h1", "Log in")
    browser.driver.get(world.address)
    browser.sees("h1", "Log in")


def test_levels_decisions_and_scores_appear_as_they_happen(window: Window, world: World) -> None:
    window.driver.get(world.address)
    window.sees("#door", "The door is away")
    world.broadcast.publish({"kind": "door", "reachable": True})
    world.broadcast.publish({"kind": "status", "listening": True, "held": False})
    window.sees("#door", "The door listens.")
    world.broadcast.publish({"kind": "level", "level_dbfs": -23.4, "clip_seconds": 1.5, "speech": True, "clipped": 0})
    window.sees("#level-text", "−23 dBFS")
    window.sees("#speech", "Somebody speaks.")
    assert float(window.at("#clip").get_property("value") or 0) == 1.5
    for each in messages_of({"kind": "decision", "outcome": "open", "resident": "Anna", "reason": "sounds like Anna",
                             "time": "2026-01-01T18:00:00+00:00", "scores": {EVIL: -8.2, "Anna": 9.1},
                             "open_llr": 4.0, "refuse_llr": -3.0}):  # fmt: skip
        world.broadcast.publish(each)
    window.sees("#decision", "The door was opened for Anna.")
    window.sees("#open-llr", "+4.0")
    assert [each.text for each in window.all("#scores tbody th")] == ["Anna", EVIL]
    assert [each.text for each in window.all("#scores td:nth-child(2)")] == ["+9.1", "−8.2"]
    window.sees("#happened", "18:00:00")
    world.broadcast.publish({"kind": "door", "reachable": False})
    window.sees("#door", "The door is away")
    assert window.complaints() == []


class Patient:
    """A microphone that hears a sentence at once, and then silence for as long as the test takes."""

    def __init__(self, clock: ManualClock) -> None:
        self._inner = SimulatedMicrophone([silence(1.0), ANNA, silence(2.0)], clock=clock)
        self._after, self._pause = SimulatedMicrophone([silence(600.0)], clock=clock), threading.Event()

    def read(self) -> Frame | Gap | None:
        item = self._inner.read()
        if item is None:
            # As slow as sound is, so that the clock does not run away from the browser.
            self._pause.wait(0.02)
            item = self._after.read()
        return item

    def close(self) -> None:
        """There is nothing to let go."""


def test_somebody_is_recorded_at_the_door_guided_by_the_page(browser: Window, tmp_path: Path) -> None:
    def listen() -> Microphone:
        return Patient(world.clock)

    world = World(tmp_path, listen=listen)
    try:
        come_in(browser, world)
        browser.driver.get(f"{world.address}/record")
        browser.sees("#who-has", "Who has how much")
        browser.at("#person").send_keys("Anna" + Keys.ENTER)
        browser.sees("h2", "Anna")
        # The first sentence was kept: the second one is asked for.
        asked = prompts_for(0)[1]
        browser.sees("#sentence", asked.text)
        browser.sees("#hint", asked.manner.hint)
        browser.sees("#said", "kept:")
        browser.sees("#today-text", "of 60 s")
        assert float(browser.at("#today").get_property("value") or 0) > 0.0
        browser.at("main form button").click()
        browser.sees("#recorder", "What was kept stays. Kept 1 takes, refused 0")
        browser.sees(".people", "Anna")
        assert browser.complaints() == []
    finally:
        browser.driver.get("about:blank")
        world.close()


def test_a_clip_is_labelled_by_keyboard(window: Window, world: World) -> None:
    world.keep_clip()
    window.driver.get(f"{world.address}/clips")
    button = next(each for each in window.all("fieldset button") if each.text == "Anna")
    button.send_keys(Keys.ENTER)
    window.sees("[role=status]", "Labelled.")
    assert [each.parent.parent.name for each in (world.folder / "recordings/allowed").rglob("*.wav")] == ["Anna"]


def test_enter_in_the_field_for_a_guests_name_does_not_make_them_a_resident(window: Window, world: World) -> None:
    world.keep_clip()
    window.driver.get(f"{world.address}/clips")
    window.at("summary").click()
    window.at("[name=known_as]").send_keys("Eva" + Keys.ENTER)
    window.sees("[role=status]", "Labelled.")
    assert [each.name for each in (world.folder / "recordings/others").iterdir()] == ["Eva"]
    assert not (world.folder / "recordings/allowed").exists()


@pytest.mark.parametrize("path", PAGES)
def test_every_page_fits_phones_and_desks_and_its_policy_forbids_nothing_of_its_own(
    window: Window, world: World, path: str
) -> None:
    fill(world)
    for width, height in SIZES:
        window.looks(width=width, height=height)
        window.driver.get(world.address + path)
        wide = window.driver.execute_script("return document.documentElement.scrollWidth")
        assert wide <= width, f"at {width} pixels it is {wide} wide"
    assert window.complaints() == []
    assert "evil" not in window.driver.title
    assert window.driver.execute_script("return document.images.length") == 0


@pytest.mark.parametrize("path", PAGES)
def test_the_tab_key_reaches_everything_in_the_order_in_which_it_stands_and_shows_where_it_is(
    window: Window, world: World, path: str
) -> None:
    fill(world)
    window.looks(width=1280, height=800)
    window.driver.get(world.address + path)
    script = """return [...document.querySelectorAll(arguments[0])].filter((each) => each.checkVisibility())
        .map((each) => each.outerHTML)"""
    usable = "a[href], button, input:not([type=hidden]), select, summary, audio"
    wanted = window.driver.execute_script(script, usable)
    window.driver.execute_script("document.activeElement.blur()")
    reached: list[str] = []
    for _ in range(8 * len(wanted)):
        window.driver.switch_to.active_element.send_keys(Keys.TAB)
        focused = window.driver.switch_to.active_element
        if focused.tag_name == "body":
            break
        outline = window.driver.execute_script("return getComputedStyle(arguments[0]).outlineStyle", focused)
        html = str(focused.get_attribute("outerHTML"))
        # The parts of a player are reached too, each showing itself.
        assert outline != "none" or focused.tag_name == "audio", html
        if html not in reached[-1:]:
            reached.append(html)
        if reached[0] == html and len(reached) > 1:
            reached.pop()
            break
    assert reached == wanted


def test_the_first_tab_skips_to_the_content(window: Window, world: World) -> None:
    window.driver.get(f"{world.address}/health")
    window.at("body").send_keys(Keys.TAB)
    window.driver.switch_to.active_element.send_keys(Keys.ENTER)
    assert window.driver.switch_to.active_element.get_attribute("id") == "main"
