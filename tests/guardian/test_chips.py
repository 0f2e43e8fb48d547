"""The chip with the header's pins is chosen by its label, whatever number a kernel gave it."""

import errno
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence

import pytest

from device.guardian.chips import Chip, choose
from device.guardian.errors import PinError, SettingsError
from device.guardian.settings import PinSettings
from tests.benches import gpio_chip
from tests.benches.gpio_chip import PI_3, PI_4, PI_5, Node, imitated_chip, why_not
from tests.conftest import ROOT

BENCH = pytest.mark.skipif(why_not() is not None, reason=why_not() or "")
EXPANDER = Node(0, "raspberrypi-exp-gpio", 8)
BOARDS = {
    "Pi 3": (PI_3, "gpiochip0 (pinctrl-bcm2835)"),
    "Pi 4": (PI_4, "gpiochip0 (pinctrl-bcm2711)"),
    "Pi 4 whose expander was there first": ((EXPANDER, Node(1, "pinctrl-bcm2711", header=True)),
                                            "gpiochip1 (pinctrl-bcm2711)"),
    "Pi 5": (PI_5, "gpiochip15 (pinctrl-rp1)"),
    "Pi 5, older kernel": ((Node(0, "gpio-brcmstb@107d508500", 32), Node(4, "pinctrl-rp1", header=True)),
                           "gpiochip4 (pinctrl-rp1)"),
    "Pi 5, chips from 11": ((Node(11, "pinctrl-rp1", header=True), Node(12, "gpio-brcmstb@107d508500", 32)),
                            "gpiochip11 (pinctrl-rp1)"),
    "Pi 5 with a second name for the chip": ((Node(0, "pinctrl-rp1", header=True), Node(4, "", link=0)),
                                             "gpiochip0 (pinctrl-rp1)"),
    "a chip that nobody may open": ((Node(0, "secret", open_errno=errno.EACCES), *PI_5), "gpiochip15 (pinctrl-rp1)"),
    "a chip that is no GPIO": ((Node(0, "odd", info_errno=errno.ENOTTY), *PI_5), "gpiochip15 (pinctrl-rp1)"),
}  # fmt: skip
UNFIT: dict[str, tuple[Sequence[Node], str]] = {
    "another board": ((Node(0, "INT34C5:00", 200),), "gpiochip0 (INT34C5:00)"),
    "two chips of one label": ((Node(0, "pinctrl-rp1", header=True), Node(1, "pinctrl-rp1")),
                               "gpiochip0 (pinctrl-rp1), gpiochip1 (pinctrl-rp1)"),
    "the header's chip may not be opened": ((Node(0, "pinctrl-rp1", open_errno=errno.EACCES), EXPANDER),
                                            "gpiochip0 (unreadable"),
    "too few pins": ((Node(0, "pinctrl-rp1", 8),), "8 pins"),
    "no chip at all": ((), "no /dev/gpiochip* at all"),
}  # fmt: skip


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[gpio_chip.Chip]:
    with imitated_chip(tmp_path_factory.mktemp("chip")) as chip:
        yield chip


@pytest.fixture
def bench(machine: gpio_chip.Chip) -> gpio_chip.Chip:
    machine.edges.clear()
    machine.foreign.clear()
    return machine


def moves(bench: gpio_chip.Chip) -> list[gpio_chip.Edge]:
    """What was done to pins; the end of an earlier process may be seen only now."""
    return [each for each in bench.edges if each.what != "closed"]


def run(bench: gpio_chip.Chip, *command: str) -> tuple[int, str]:
    """A process that finds these chips; its exit code and output."""
    environment = os.environ | bench.environment(bench.socket.parent)
    done = subprocess.run([sys.executable, *command], cwd=ROOT, env=environment, text=True, check=False,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=20.0)  # fmt: skip
    return done.returncode, done.stdout


def release(bench: gpio_chip.Chip, settings: str = "") -> tuple[int, str]:
    """The guardian's one-shot: it claims the pin and drives it off."""
    config = bench.socket.parent / "c.toml"
    config.write_text(f"[relay]\npin = 17\n{settings}\n")
    return run(bench, "-m", "device.guardian", "off", "--config", str(config))


@BENCH
@pytest.mark.parametrize("board", BOARDS, ids=str)
def test_relay_button_and_light_take_the_header_whatever_its_number(bench: gpio_chip.Chip, board: str) -> None:
    nodes, expected = BOARDS[board]
    bench.show(nodes)
    code, text = release(bench)
    assert code == 0, text
    assert [(each.what, each.pin, each.level) for each in moves(bench)][:1] == [("claim", 17, 0)]
    code, text = run(
        bench, "-c",
        "from device.hardware.button import GpioButton; from device.hardware.led import Led\n"
        "from device.hardware.relay import GpioRelay; from device.hardware.clock import SystemClock\n"
        "relay, clock = GpioRelay(18), SystemClock()\n"
        "print(relay.chip, GpioButton(27, clock=clock).chip, Led(22, clock=clock).chip, sep='|')",
    )  # fmt: skip
    assert (code, text.strip().splitlines()[-1:]) == (0, ["|".join([expected] * 3)]), text
    assert {each.pin for each in moves(bench)} == {17, 18, 22, 27}
    assert bench.foreign == [], "a line of another controller was taken"


@BENCH
@pytest.mark.parametrize("board", UNFIT, ids=str)
def test_a_machine_without_the_header_is_refused_with_what_was_seen(bench: gpio_chip.Chip, board: str) -> None:
    nodes, seen = UNFIT[board]
    bench.show(nodes)
    code, text = release(bench)
    assert code == 69
    assert seen in text
    assert "Traceback" not in text
    code, text = run(bench, "-c", "from device.hardware.relay import GpioRelay; GpioRelay(17)")
    assert code != 0
    assert seen in text
    assert moves(bench) == []
    assert bench.foreign == []


@BENCH
def test_another_board_s_chip_is_taken_by_the_label_that_is_configured(bench: gpio_chip.Chip) -> None:
    bench.show((Node(0, "300b000.pinctrl", 256), Node(1, "7022000.pinctrl", 352, header=True)))
    code, text = release(bench, 'chip_label = "7022000.pinctrl"')
    assert code == 0, text
    assert (moves(bench)[0].what, bench.foreign) == ("claim", [])


def test_a_label_that_is_none_is_refused() -> None:
    for label in ("two words", "x" * 32, "tab\t", "\n", "pinctrl-ä"):
        with pytest.raises(SettingsError, match="chip_label"):
            PinSettings(pin=17, chip_label=label)


def test_a_configured_label_is_the_only_one_that_counts() -> None:
    chips = (Chip(0, "gpiochip0", "pinctrl-rp1", 54), Chip(1, "gpiochip1", "other", 54))
    assert choose(chips, "other").number == 1
    assert choose(chips).number == 0
    with pytest.raises(PinError, match="no GPIO chip has the label pinctrl-bcm2711"):
        choose(chips, "pinctrl-bcm2711")
