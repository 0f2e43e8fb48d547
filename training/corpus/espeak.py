"""The demo's household, synthesised with espeak-ng: residents on two days, others, strangers, and an evening of visits.

Everything is made up, so that it can be shipped: no recording of a person is needed to see the door work.
"""

from __future__ import annotations

import io
import shutil
import subprocess
import wave
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from device.errors import RuntimeMissingError
from device.sound.pcm import SAMPLE_RATE_HZ, Samples
from device.sound.resample import resample
from device.sound.wavfile import write_wav


@dataclass(frozen=True, slots=True)
class Voice:
    """An espeak-ng voice: accent and variant, ``pitch`` 0..99, ``speed`` in words a minute."""

    name: str
    pitch: int
    speed: int = 165


# Picked by trial, out of sixty, as those the network tells best from every voice below, test strangers included: many
# of espeak-ng's variants differ in little but pitch, far less than people do. So no figure of the demo's household says
# anything about how well people are told apart.
RESIDENTS = {
    "Anna": Voice("en-us+anika", 60),
    "Bruno": Voice("en-us+zac", 50),
    "Clara": Voice("en-us+steph", 70, 150),
    "David": Voice("en-us+travis", 40, 175),
}
ACCENTS = ("en-us", "en-gb", "en-029", "en-gb-scotland", "en-gb-x-gbclan", "en-gb-x-gbcwmd")
TEST_STRANGERS = 24
VARIANTS = ("m1", "m2", "m4", "m5", "m6", "m8", "f1", "f3", "f4", "croak", "klatt", "klatt2", "Andy", "Annie", "Mario")

ENROLMENT = (
    "Good evening, it is only me, I forgot my key on the kitchen table again.",
    "The train was late today, and then it began to rain on the way home.",
    "Could somebody bring the umbrella down before I am completely wet?",
    "I have two bags of shopping here, and the eggs are on the top.",
    "We met the neighbours at the bakery, they send their best wishes.",
    "The children are still in the garden, they will follow in a minute.",
    "Please turn on the light in the hall, I cannot see the steps.",
    "There was a long queue at the post office, as on every Monday.",
    "My bicycle is in the yard, I will take it inside after dinner.",
    "The blue parcel came this morning, it was left beside the bins.",
    "I walked through the park because the evening was so warm.",
    "Has the cat come back, or is she still hiding under the shed?",
    "It smells wonderful out here, what are you cooking tonight?",
    "The meeting took much longer than anybody had expected.",
    "I brought fresh bread, some cheese, and a bottle of apple juice.",
    "Remember that the plumber will call tomorrow between nine and ten.",
    "Somebody should water the roses, they look rather thirsty.",
    "The bus driver waited for me, which was very kind of him.",
)
OTHER_DAY = (
    "Hello again, I am back from the dentist and everything went well.",
    "It is quite cold this morning, there is frost on all the cars.",
    "I left my telephone upstairs and had to come back for it.",
    "The market was full of people, but I found some good oranges.",
    "Would you mind opening up, my hands are full of wet laundry.",
    "We should paint this door one day, perhaps in a friendly green.",
    "The lift is out of order, so I took the stairs with the boxes.",
    "The teacher praised the drawing and hung it on the wall.",
    "I think it is going to snow before the end of the week.",
    "They closed the bridge, so we drove around by the river.",
)
VISIT = (
    "Hi, it is me, the concert is over and I would love a cup of tea. The singer came from a village in the mountains, "
    "and she told a funny story before every song.",
    "Here I am at last, please let me in, the wind is awful tonight. A branch has fallen across the road, "
    "and half of the street lamps are dark.",
    "Evening everybody, I hope there is still a little soup left for me. We played football until sunset, "
    "and nobody wanted to go home.",
    "I am home early today, and I have wonderful news for all of you. They gave me the job in the library, "
    "and I may begin in spring.",
)
STRANGER_VISIT = (
    "Good evening, I am collecting for the fire brigade, please open the door. It takes only a minute, "
    "and every coin is welcome.",
    "Delivery for the second floor, could you let me in for a moment? The box is heavy, "
    "and it must not stand in the rain.",
    "I am a friend of the family, they surely told you that I would come. I have been on the road all day, "
    "so please be so kind and open.",
)


def say(voice: Voice, text: str, *, level: float = 0.3, faster: int = 0) -> Samples:
    """``text`` spoken, int16 at 16 kHz, its peak at ``level`` of full scale.

    Raises :class:`RuntimeMissingError` without espeak-ng.
    """
    program = shutil.which("espeak-ng")
    if program is None:
        raise RuntimeMissingError("espeak-ng is not installed", next_step="sudo apt install espeak-ng")
    command = [program, "-v", voice.name, "-p", str(voice.pitch), "-s", str(voice.speed + faster), "--stdout", text]
    content = subprocess.run(command, check=True, capture_output=True).stdout
    with wave.open(io.BytesIO(content)) as file:
        rate_hz = file.getframerate()
        spoken = np.frombuffer(file.readframes(file.getnframes()), dtype="<i2").astype(np.int16)
    sound = resample(spoken, from_hz=rate_hz).astype(np.float64)
    spoken = np.asarray(np.rint(sound * (level * 32767 / max(np.abs(sound).max(), 1.0))), dtype=np.int16)
    return spoken


def at_the_door(sound: Samples, rng: np.random.Generator) -> Samples:
    """A porch's short echo and a little noise, so that a visit is not digitally clean."""
    times = np.arange(int(0.12 * SAMPLE_RATE_HZ)) / SAMPLE_RATE_HZ
    echo = 0.03 * rng.standard_normal(len(times)) * np.exp(-times / 0.025)
    echo[0] = 1.0
    wet = np.convolve(sound.astype(np.float64), echo)[: len(sound)]
    wet += rng.normal(0.0, 20.0, len(sound))
    return np.clip(np.rint(wet), -32768, 32767).astype(np.int16)


def slam(rng: np.random.Generator) -> Samples:
    """A door slammed twice: 3 s with two decaying thuds."""
    sound = np.zeros(3 * SAMPLE_RATE_HZ)
    for start_seconds in (0.5, 1.4):
        times = np.arange(int(0.4 * SAMPLE_RATE_HZ)) / SAMPLE_RATE_HZ
        thud = (np.sin(2 * np.pi * 70 * times) + 0.6 * rng.standard_normal(len(times))) * np.exp(-times / 0.05)
        start = int(start_seconds * SAMPLE_RATE_HZ)
        sound[start : start + len(thud)] += 12_000 * thud
    return np.rint(sound).clip(-32768, 32767).astype(np.int16)


def make_demo(out: Path, *, evening: Path | None, say_so: Callable[[str], None]) -> None:
    """Write the recordings below ``out``, and the visits into ``evening`` where given. Deterministic."""
    rng = np.random.default_rng(11)
    for name, voice in RESIDENTS.items():
        _speak(out / "allowed" / name / "2026-10-01", voice, ENROLMENT, level=0.3, rng=rng)
        _speak(out / "allowed" / name / "2026-10-09", voice, OTHER_DAY, level=0.15, rng=rng, faster=10)
    voices = [f"{accent}+{variant}" for accent in ACCENTS for variant in VARIANTS]
    for count, name in enumerate(rng.permutation(voices).tolist()):
        voice = Voice(name, int(rng.integers(15, 85)), int(rng.integers(140, 190)))
        role = "strangers" if count < TEST_STRANGERS else "others"
        _speak(out / role / name.replace("+", "-"), voice, OTHER_DAY[:8], level=0.25, rng=rng)
        say_so(f"voice {count + 1}/{len(voices)}: {name}")
    if evening is not None:
        _evening(evening, rng)
        say_so(f"the evening's visits are in {evening}")


def _speak(
    folder: Path, voice: Voice, texts: tuple[str, ...], *, level: float, rng: np.random.Generator, faster: int = 0
) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for count, text in enumerate(texts):
        write_wav(folder / f"{count:02d}.wav", at_the_door(say(voice, text, level=level, faster=faster), rng))


def _evening(folder: Path, rng: np.random.Generator) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    pause = np.zeros(int(7.0 * SAMPLE_RATE_HZ), dtype=np.int16)
    first, second, third = Voice("en-us+m2", 55), Voice("en-gb+Annie", 60), Voice("en-029+m5", 30, 150)
    visits: dict[str, Samples] = {
        "anna": say(RESIDENTS["Anna"], VISIT[0]),
        "bruno": say(RESIDENTS["Bruno"], VISIT[1]),
        "clara": say(RESIDENTS["Clara"], VISIT[2]),
        "david": say(RESIDENTS["David"], VISIT[3]),
        "collector": say(first, STRANGER_VISIT[0]),
        "courier": say(second, STRANGER_VISIT[1]),
        "friend": say(third, STRANGER_VISIT[2]),
        "slam": slam(rng),
        "silence": np.zeros(4 * SAMPLE_RATE_HZ, dtype=np.int16),
        "hi": say(RESIDENTS["Anna"], "Hi!"),
        "anna-then-courier": np.concatenate([say(RESIDENTS["Anna"], VISIT[2]), pause, say(second, STRANGER_VISIT[0])]),
        "friend-then-bruno": np.concatenate([say(third, STRANGER_VISIT[1]), pause, say(RESIDENTS["Bruno"], VISIT[0])]),
    }
    for name, sound in visits.items():
        write_wav(folder / f"{name}.wav", at_the_door(sound, rng))
