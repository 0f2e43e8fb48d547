"""Who is enrolled: nobody who lives here leaves a bundle unless somebody said so.

A person leaves when their folder does, or by ``--without NAME``. Whose files are all unusable stops the run; who has
too little speech is left out by name where they are new, and stops the run where the bundle in service opens for them.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from device.errors import ConfigError, DataError
from device.names import normalise
from training.clips import SpokenClip
from training.corpus.index import Index
from training.versions import current_folder

MANIFEST_BYTES = 4_000_000
_STAYS = "mend or replace the recordings; or, to publish without this person: --without"


def residents_in_service(models: Path) -> tuple[str, ...]:
    """Whom the bundle that ``models/current`` names opens for; nobody where nothing was published yet. It is believed
    also where this version cannot load it. Raises :class:`DataError` when it cannot be read."""
    folder = current_folder(models)
    if folder is None or not folder.is_dir():
        return ()
    path = folder / "manifest.json"
    try:
        with path.open("rb") as file:
            names = json.loads(file.read(MANIFEST_BYTES))["residents"]
        return tuple(normalise(str(each)) for each in names)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError("whom the bundle in service opens for cannot be read", where=str(path),
                        received=type(error).__name__,
                        next_step="let models/current name a whole bundle, or remove it") from error  # fmt: skip


def leave_out(index: Index, names: Collection[str], in_service: Collection[str]) -> Index:
    """``index`` without these residents (``--without``). Raises :class:`ConfigError` for a name that nobody has."""
    gone = {normalise(each) for each in names}
    unknown = sorted(gone - set(index.residents) - set(in_service))
    if unknown:
        raise ConfigError("nobody of this name lives here", where="--without", received=", ".join(unknown),
                          allowed=", ".join(sorted({*index.residents, *in_service})) or "nobody yet",
                          next_step="write the name as the folder below allowed/ has it")  # fmt: skip
    kept = tuple(each for each in index.recordings if not (each.role == "allowed" and each.speaker in gone))
    return replace(index, recordings=kept, residents=tuple(each for each in index.residents if each not in gone))


def refuse_unusable(index: Index, in_service: Collection[str], say: Callable[[str], None]) -> None:
    """Raise :class:`DataError` naming every resident of whom no file can be used, with the reasons. Somebody new whose
    folder is still empty is said."""
    usable = {each.speaker for each in index.recordings if each.role == "allowed"}
    unheard = [each for each in index.residents if each not in usable]
    reasons: dict[str, list[str]] = defaultdict(list)
    for each in index.rejected:
        reasons[each.resident].append(f"{each.path}: {each.reason}")
    stopping = [each for each in unheard if reasons[each] or each in in_service]
    if stopping:
        told = [f"{each}: {'; '.join(reasons[each][:3]) or 'no recording in the folder'}" for each in stopping]
        raise DataError(
            f"no recording of {', '.join(stopping)} can be used", where=str(index.root / "allowed"),
            received="\n            ".join(told), allowed="one usable recording of everybody who has a folder",
            next_step=" ".join([_STAYS, " --without ".join(stopping)]),
        )  # fmt: skip
    for name in sorted(set(unheard) - set(stopping)):
        say(f"left out {name}: no recording in the folder yet")


def with_enough_speech(
    clips: Sequence[SpokenClip], people: Iterable[str], *, min_speech_seconds: float, in_service: Collection[str],
    say: Callable[[str], None],
) -> tuple[str, ...]:  # fmt: skip
    """Those of ``people`` who have ``min_speech_seconds`` of net speech, sorted; others are said by name.

    Raises :class:`DataError` where one of the others is in the bundle in service, or where nobody is left.
    """
    seconds: dict[str, float] = defaultdict(float)
    for each in clips:
        seconds[each.speaker] += each.clip.speech_seconds
    # Without any clip nobody can be enrolled, whatever the least is.
    short = {name: seconds[name] for name in sorted(set(people)) if seconds[name] < max(min_speech_seconds, 1e-6)}
    enough = tuple(name for name in sorted(set(people)) if name not in short)
    stopping = [name for name in short if name in in_service]
    if stopping or not enough:
        raise DataError(
            "too little speech to enrol", where="allowed/",
            received=", ".join(f"{name}: {amount:.0f} s" for name, amount in short.items()),
            allowed=f"at least {min_speech_seconds:.0f} s of speech each (enrol.min_speech_seconds)",
            next_step="record more of these people, best on two different days"
            + (f"; or, to publish without them: --without {' --without '.join(stopping)}" if stopping else ""),
        )  # fmt: skip
    for name, amount in short.items():
        say(
            f"left out {name}: {amount:.0f} s of speech, {min_speech_seconds:.0f} s are needed; record more, then again"
        )
    return enough


def changes_in_words(before: Collection[str], now: Collection[str]) -> list[str]:
    """Who is new, and who is no longer known, a sentence each."""
    if not before:
        return []
    lost = [f"{name} is no longer known" for name in sorted(set(before) - set(now))]
    return [*lost, *(f"{name} is new" for name in sorted(set(now) - set(before)))]
