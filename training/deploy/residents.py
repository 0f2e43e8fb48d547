"""Nobody who is let in at a door today is forgotten there by a deployment, unless somebody said so."""

from __future__ import annotations

import json
import shlex
from collections.abc import Collection

from device.names import normalise
from training.deploy.door import Door
from training.deploy.parcel import Parcel
from training.deploy.remote import DoorError

# The shipped bundle of made-up voices: nobody lives there.
DEMO = "demo"
MANIFEST_BYTES = 4_000_000


def refuse_lost(door: Door, current: str, parcel: Parcel, without: Collection[str]) -> str:
    """Who is new with ``parcel``, in words; empty for nobody. Raises :class:`DoorError` when the door's bundle
    ``current`` knows somebody whom ``parcel`` does not and whom ``without`` does not name."""
    before = residents_at(door, current)
    lost = sorted(before - set(map(normalise, parcel.residents)) - set(map(normalise, without)))
    if lost:
        raise DoorError(
            "somebody would no longer be known", where=door.name,
            received=f"{', '.join(lost)} would no longer be known (in {current}, not in {parcel.folder})",
            allowed="everybody whom the door lets in today",
            next_step=f"record and train again; or, where that is meant: --without {' --without '.join(lost)}",
        )  # fmt: skip
    new = sorted(set(map(normalise, parcel.residents)) - before)
    return f"new: {', '.join(new)}" if before and new else ""


def residents_at(door: Door, current: str) -> frozenset[str]:
    """Whom the bundle ``current`` on the door knows; nobody where there is none, or the shipped demo."""
    if not current:
        return frozenset()
    path = shlex.quote(door.path(f"{current}/manifest.json"))
    content = door.remote.run(f"test ! -f {path} || head -c {MANIFEST_BYTES} -- {path}")
    if not content.strip():
        return frozenset()
    try:
        manifest = json.loads(content)
        names = frozenset(normalise(str(each)) for each in manifest["residents"])
        return frozenset() if manifest.get("name") == DEMO else names
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise DoorError(
            "whom the door lets in today cannot be read", where=door.name, received=f"{current}/manifest.json",
            next_step="look at that bundle on the door",
        ) from error  # fmt: skip
