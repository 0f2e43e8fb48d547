"""One bundle to one door, or to many: copy, verify there, switch, reload, wait for health, or go back."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from enum import StrEnum
from uuid import uuid4

from device.errors import VoicelatchError
from training.deploy.door import INCOMING, Door, Health, Seen
from training.deploy.parcel import DEPLOYED, Parcel
from training.deploy.remote import DoorError, UnreachableError, has_rsync

_LOG = logging.getLogger(__name__)
POLL_SECONDS = 0.5


class Result(StrEnum):
    """How it ended at a door."""

    DEPLOYED = "deployed"
    UNCHANGED = "unchanged"
    PLANNED = "would deploy"
    FAILED = "failed"
    ROLLED_BACK = "rolled back"
    NOT_ROLLED_BACK = "NOT rolled back"


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """One door's line of the report. ``before`` and ``now``: what ``current`` named, as far as it is known."""

    door: str
    host: str
    result: Result
    before: str
    now: str
    text: str = ""
    seconds: float = 0.0

    @property
    def ok(self) -> bool:
        return self.result in (Result.DEPLOYED, Result.UNCHANGED, Result.PLANNED)


class UntrustedError(DoorError):
    """The door would refuse the bundle for its signature."""


class UnhealthyError(DoorError):
    """The daemon does not report the bundle it should."""


def deploy(
    parcel: Parcel, door: Door, *, dry_run: bool = False, older: bool = False, poll_seconds: float = POLL_SECONDS
) -> Outcome:
    """The whole sequence at one door; ``older`` lets the bundle be older than the last one the door accepted.

    Raises :class:`DoorError` where nothing was switched.
    """
    seen, before = door.look(parcel.folder), door.health()
    outcome = Outcome(
        door=door.name, host=door.settings.host, result=Result.UNCHANGED, before=seen.current, now=seen.current
    )
    if seen.current == parcel.folder and before.listening and before.digest == parcel.digest:
        return replace(outcome, text="it serves this bundle already")
    refuse_untrusted(parcel, door)
    if dry_run:
        state = "its daemon listens" if before.listening else f"its daemon does not listen: {before.problem}"
        return replace(outcome, result=Result.PLANNED, text=state)

    bring(parcel, door, seen)
    try:
        _say(door, "switching and reloading")
        door.use(parcel.folder)
        if older:
            door.allow_older(parcel.folder)
        door.reload()
        wait_for(parcel.digest, door, before, poll_seconds=poll_seconds)
    except Exception as error:
        # A defect of ours, too, must not leave a door with a bundle that nobody saw working.
        return roll_back(replace(outcome, now=parcel.folder), door, _reason(error), poll_seconds=poll_seconds)
    return replace(outcome, result=Result.DEPLOYED, now=parcel.folder, text=prune(door, parcel.folder, seen.current))


def refuse_untrusted(parcel: Parcel, door: Door) -> None:
    """Raise :class:`UntrustedError`, before anything is copied, where the door says that it would refuse the bundle for
    its signature, or for the want of one."""
    trusted = door.trusted()
    if trusted is None or parcel.key_id in trusted.key_ids or (trusted.allow_unsigned and not parcel.key_id):
        return
    if trusted.allow_unsigned and not trusted.key_ids:
        return
    trust = "on the door: sudo voicelatch key trust LINE (the line is in the file that ends in .pub)"
    sign = "sign it here: python -m training sign BUNDLE --key FILE"
    raise UntrustedError(
        "the door would refuse it, nothing was copied",
        where=door.name,
        received=f"it is signed by {parcel.key_id}, which this door does not trust" if parcel.key_id
        else "nobody has signed it, and this door accepts signed bundles alone",
        next_step=trust if parcel.key_id else sign if trusted.key_ids else f"{sign}; then {trust}",
    )  # fmt: skip


def bring(parcel: Parcel, door: Door, seen: Seen) -> None:
    """Have the verified bundle in its folder on the door; nothing is copied where it is there and whole."""
    if seen.holds:
        try:
            door.check(door.path(parcel.folder), digest=parcel.digest)
        except UnreachableError:
            raise
        except DoorError as error:
            _LOG.warning("%s: the copy that is there is damaged and is sent again: %s", door.name, _reason(error))
        else:
            return
    by_rsync = seen.has_rsync and has_rsync()
    incoming = door.path(f"{INCOMING}{uuid4().hex[:12]}")
    try:
        _say(door, f"copying {parcel.folder} by {'rsync' if by_rsync else 'tar'}")
        door.send(parcel, incoming, by_rsync=by_rsync, like=seen.current)
        _say(door, "verifying on the door")
        door.check(incoming, digest=parcel.digest)
        door.place(incoming, parcel.folder)
    except BaseException:
        _discard(door, incoming)
        raise


def wait_for(digest: str, door: Door, before: Health, *, poll_seconds: float) -> None:
    """Return once the daemon has answered a reload after ``before`` and says, twice, that it listens with ``digest``.

    Raises :class:`UnhealthyError` with the reason: at once when the reload is refused, otherwise when
    ``health_seconds`` are over. A connection that fails meanwhile is tried again.
    """
    deadline = time.monotonic() + door.settings.health_seconds
    steady_pid = 0
    while True:
        try:
            now = door.health(timeout_seconds=max(5.0, deadline - time.monotonic()))
        except DoorError as error:
            steady_pid, reason = 0, _reason(error)
        else:
            answered = now.pid != before.pid or now.reloads > before.reloads
            if answered and now.listening and now.digest == digest:
                if steady_pid == now.pid:
                    return
                steady_pid, reason = now.pid, "it was seen healthy only once"
            elif answered and now.listening and not now.accepted:
                raise UnhealthyError("unhealthy", where=door.name, received=f"the daemon refused it: {now.reason}")
            else:
                steady_pid, reason = 0, now.told() if answered or not now.listening else "it does not reload"
        if time.monotonic() >= deadline:
            limit = f"not healthy within {door.settings.health_seconds:g} s: {reason}"
            raise UnhealthyError("unhealthy", where=door.name, received=limit)
        time.sleep(poll_seconds)


def roll_back(outcome: Outcome, door: Door, why: str, *, poll_seconds: float) -> Outcome:
    """Point back to what was current, reload, and wait for that to be healthy; say how far it went."""
    _LOG.warning("%s: rolling back: %s", door.name, why)
    previous, patience = outcome.before, door.settings.health_seconds
    try:
        if _insist(lambda: door.look(previous).current, seconds=patience, poll_seconds=poll_seconds) == previous:
            same = previous == outcome.now
            text = f"{why}; {'there is no other bundle to return to' if same else 'nothing was switched'}"
            return replace(outcome, result=Result.FAILED, now=previous, text=text)
        if not previous:
            text = f"{why}; there is no bundle to return to"
            return replace(outcome, result=Result.NOT_ROLLED_BACK, text=text)
        digest = _insist(lambda: door.use(previous), seconds=patience, poll_seconds=poll_seconds)
    except DoorError as error:
        text = f"{why}; the pointer could not be moved back: {_reason(error)}"
        return replace(outcome, result=Result.NOT_ROLLED_BACK, text=text)
    returned, asked = replace(outcome, result=Result.ROLLED_BACK, now=previous), ""
    try:
        before = door.health()
        # The daemon may have accepted the newer one, and then refuses what came before it.
        asked = _ask(lambda: door.allow_older(previous), "not noted that it may be older: ") + _ask(door.reload)
        wait_for(digest, door, before, poll_seconds=poll_seconds)
    except DoorError as error:
        text = f"{why}; {previous} is current again, but the daemon is not healthy with it: {asked}{_reason(error)}"
        return replace(returned, text=text)
    return replace(returned, text=f"{why}; {previous} serves again")


def _ask(action: Callable[[], None], but: str = "") -> str:
    """Do it, or say why not. A daemon that died of a bundle is started anew by systemd and reads the pointer then; one
    that lists no keys asks nobody whether a bundle may be older."""
    try:
        action()
    except DoorError as error:
        return f"{but}{_reason(error)}; "
    return ""


def prune(door: Door, current: str, previous: str) -> str:
    """Remove the oldest bundles that deployments brought, all but ``keep``; what to say of it.

    The current one and the previous one stay, and so does everything that somebody put there by hand.
    """
    try:
        kept = [each for each in door.tidy(current) if each in (current, previous) or DEPLOYED.fullmatch(each)]
        # The current and the previous one count first, wherever their dates put them.
        kept.sort(key=lambda each: each not in (current, previous))
        gone = kept[door.settings.keep :]
        if gone:
            door.remove([door.path(each) for each in gone])
    except DoorError as error:
        return f"in service, but old bundles could not be removed: {_reason(error)}"
    return f"in service; removed {', '.join(gone)}" if gone else "in service"


def deploy_all(
    parcel: Parcel, doors: Sequence[Door], *, dry_run: bool, parallel: int, older: bool = False,
    poll_seconds: float = POLL_SECONDS,
) -> list[Outcome]:  # fmt: skip
    """:func:`deploy` at every door, ``parallel`` at a time, in the order given. What fails at one stays there."""

    def one(door: Door) -> Outcome:
        started = time.monotonic()
        failed = Outcome(door=door.name, host=door.settings.host, result=Result.FAILED, before="", now="")
        try:
            outcome = deploy(parcel, door, dry_run=dry_run, older=older, poll_seconds=poll_seconds)
        except DoorError as error:
            outcome = replace(failed, text=_reason(error))
        except VoicelatchError as error:
            outcome = replace(failed, text=str(error))
        except Exception as error:
            # A defect met at one door must not keep the others from being served.
            _LOG.exception("%s: a defect; please report it", door.name)
            outcome = replace(failed, text=f"a defect: {type(error).__name__}: {error}")
        return replace(outcome, seconds=round(time.monotonic() - started, 1))

    with ThreadPoolExecutor(max_workers=parallel) as pool:
        return _in_order(pool.submit(one, door).result for door in doors)


def _in_order(results: Iterable[Callable[[], Outcome]]) -> list[Outcome]:
    # Listed first: every door is under way before the first is waited for.
    return [result() for result in list(results)]


def _insist(action: Callable[[], str], *, seconds: float, poll_seconds: float) -> str:
    """The action again and again while there is no connection, for at most ``seconds``."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            return action()
        except UnreachableError:
            if time.monotonic() >= deadline:
                raise
            time.sleep(poll_seconds)


def _reason(error: Exception) -> str:
    """An error in one line, for the report."""
    if isinstance(error, UnhealthyError):
        return str(error.received)
    if isinstance(error, DoorError):
        step = f" (next: {error.next_step})" if isinstance(error, UntrustedError) else ""
        return " ".join(f"{error.what}: {error.received}{step}".split())
    return f"a defect: {type(error).__name__}: {error}"


def _discard(door: Door, incoming: str) -> None:
    try:
        door.remove([incoming])
    except DoorError as error:
        _LOG.warning("%s: %s is left behind: %s", door.name, incoming, _reason(error))


def _say(door: Door, step: str) -> None:
    _LOG.info("%s: %s", door.name, step)
