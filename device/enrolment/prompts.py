"""What people are asked to say, and how: other words and another manner each time, as at a real door.

A voice that was only ever recorded reading calmly, close by, is not known when it calls from the gate. The manners go
from whispered to shouted and from near to far; a session goes through all of them, each for a few sentences in a row,
since neighbouring clips become one prototype.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Manner:
    """How to speak. ``hint`` is for the person; ``lowest_snr_db`` and ``quietest_dbfs`` are what a take must reach."""

    name: str
    hint: str
    sentences: int
    lowest_snr_db: float
    quietest_dbfs: float


@dataclass(frozen=True, slots=True)
class Prompt:
    """One sentence and how to say it."""

    text: str
    manner: Manner


# Clean reading without pauses still reaches this; below it, the workshop calls recordings noisy and quiet.
NOISY_SNR_DB = 12.0
QUIET_DBFS = -40.0
# Whispering has little level. Nobody can do anything about that.
_WHISPERED_SNR_DB, _WHISPERED_DBFS = 6.0, -55.0

MANNERS = (
    Manner(name="normal", hint="as you talk to a friend, half a metre away", sentences=5,
           lowest_snr_db=NOISY_SNR_DB, quietest_dbfs=QUIET_DBFS),
    Manner(name="quiet", hint="quietly, as late at night, half a metre away", sentences=3,
           lowest_snr_db=NOISY_SNR_DB, quietest_dbfs=QUIET_DBFS - 5.0),
    Manner(name="whispered", hint="whispering, a hand's width away", sentences=2,
           lowest_snr_db=_WHISPERED_SNR_DB, quietest_dbfs=_WHISPERED_DBFS),
    Manner(name="far", hint="normally, from two metres away", sentences=4,
           lowest_snr_db=NOISY_SNR_DB - 2.0, quietest_dbfs=QUIET_DBFS - 5.0),
    Manner(name="turned away", hint="normally, one metre away, looking aside as if you waved to somebody", sentences=3,
           lowest_snr_db=NOISY_SNR_DB - 2.0, quietest_dbfs=QUIET_DBFS - 5.0),
    Manner(name="loud", hint="loudly, as over a passing car, from one metre away", sentences=3,
           lowest_snr_db=NOISY_SNR_DB, quietest_dbfs=QUIET_DBFS),
    Manner(name="shouted", hint="shouting, as to somebody upstairs, from three metres away", sentences=2,
           lowest_snr_db=NOISY_SNR_DB, quietest_dbfs=QUIET_DBFS),
)  # fmt: skip

SENTENCES = (
    "Hello, it's me, I have forgotten my keys on the kitchen table again.",
    "Could you open, please? My hands are full of shopping and it starts to rain.",
    "The train was nine minutes late, so I walked the last part through the park.",
    "I am back from work, and I brought bread, apples and a bag of onions.",
    "Good evening, this is not the postman, this is somebody who lives here.",
    "Seven, forty-two, thirteen, ninety-eight: those were the numbers on the yellow van.",
    "We should water the tomatoes before the weekend gets too hot for them.",
    "Please tell the children that dinner is ready in about a quarter of an hour.",
    "My bicycle has a flat tyre, so I pushed it all the way up the hill.",
    "Did anybody feed the cat while I was away at the swimming pool?",
    "The neighbours painted their fence blue, and now everyone wants a blue fence.",
    "Just open the door, I will explain the muddy shoes in a minute.",
    "Under the old bridge the river is loud enough to drown a whole brass band.",
    "Wednesday would suit me better than Thursday, but either is fine in the end.",
    "I think the light in the hallway needs a new bulb; it flickers when the door shuts.",
    "Somebody left a parcel behind the flower pots, and it is surprisingly heavy.",
    "Three cups of flour, a pinch of salt, some yeast, and then you only have to wait.",
    "The choir sings at eight, so let us leave the house a little after seven.",
    "Our teacher always says that questions matter more than quick answers.",
    "I can hear the piano from out here, and it sounds much better than last year.",
    "It is only a short visit: I pick up the ladder and bring it back tomorrow.",
    "Mind the step, it is wet, and the dog has fallen asleep right across it.",
    "Yesterday the sky turned green before the storm, and then all the bells began to ring.",
    "If the shop is still open, shall I fetch cheese, grapes and a box of eggs?",
    "The museum was closed, therefore we looked at ships in the harbour all afternoon.",
    "Why does this umbrella always break on the very first windy day of autumn?",
    "My sister rang from the airport; her luggage has travelled on without her.",
    "There is chalk on your sleeve, and jam on the other one, if you wonder.",
    "Let me in quickly, the ice cream is already dripping on my shoes.",
    "Twenty people came to the garden party, and nobody remembered to bring a corkscrew.",
    "The clock in the village stopped at half past two many years ago.",
    "Perhaps we could move the wardrobe to the other wall and have more room to dance.",
    "I promised to be home before dark, and look, the street lamps are just coming on.",
    "A fox ran along the wall this morning, calm as you like, with a shoe in its mouth.",
    "Could you check whether I switched the oven off? I truly cannot remember.",
    "Onions make me cry, films make me cry, but long queues only make me hungry.",
    "The plumber will come between ten and noon, or so the friendly voice told me.",
    "Thank you for waiting up; the concert was long, and worth every single minute.",
    "Every key on this ring looks the same, and not one of them fits this lock.",
    "On Sunday we go up the mountain, unless the weather or my knees object.",
)


def prompts_for(session: int, sentences: Sequence[str] = SENTENCES) -> tuple[Prompt, ...]:
    """The prompts of a person's ``session`` (from 0), in order: all manners, and other ``sentences`` (one at least)
    than the last time."""
    manners = [manner for manner in MANNERS for _ in range(manner.sentences)]
    start = session * len(manners)
    return tuple(Prompt(sentences[(start + index) % len(sentences)], manner) for index, manner in enumerate(manners))
