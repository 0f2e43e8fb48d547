"""The pages behind the login, and what each of them is sent. The library that routes requests is Bottle."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, get_args

from device.enrolment.progress import Progress, Role, missing
from device.errors import DataError, VoicelatchError
from device.ports import Clock
from device.service.explain import explain
from device.service.kept_clips import Label
from device.service.status import Sighting
from device.settings import LARGEST
from device.web.broadcast import Broadcast
from device.web.door import DoorClient
from device.web.entrance import Entrance, same
from device.web.fence import SAFE_METHODS
from device.web.health import facts, read_celsius
from device.web.pages import STATIC, Pages, load
from device.web.recorder import Recorder
from device.web.sessions import Session
from device.web.stream import stream
from device.web.visits import SHOWN, Visits
from device.web.words import line_of, outcome_in_words

_LOG = logging.getLogger(__name__)
SESSION = "voicelatch.session"
# Python takes the digits of every script for a number, and has no largest one; the event log has.
_NUMBER = re.compile(r"[0-9]{1,19}")
FILES = ("page.css", "live.js", "record.js", "icon.svg")
DONE = {"labelled": "Labelled. The next refresh learns from that clip.", "deleted": "The clip was deleted."}
ROLES: tuple[tuple[Role, str], ...] = (
    ("allowed", "a resident"),
    ("others", "a guest or neighbour, for better thresholds"),
    ("strangers", "a stranger, for the final test only"),
    ("noise", "nobody: the background of the door"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What the pages show and do; ``secure``: served over TLS."""

    entrance: Entrance
    broadcast: Broadcast
    recorder: Recorder
    door: DoorClient
    look: Callable[[], Sighting]
    clock: Clock
    secure: bool


class Site:
    """``application`` is the WSGI application. Every page wants a session, except those that say ``open``."""

    def __init__(self, parts: Parts) -> None:
        self._parts, self._pages, self._bottle = parts, Pages(), load("bottle")
        self._visits = Visits(parts.door)
        # With TLS, a name that browsers accept from this very host alone.
        self._cookie = "__Host-voicelatch" if parts.secure else "voicelatch"
        self._login_cookie = f"{self._cookie}-login"
        app = self.application = self._bottle.Bottle()
        app.default_error_handler = self._error
        self._add("GET /static/<name>", self._static, open=True)
        self._add("GET /login", self._ask_password, open=True)
        self._add("POST /login", self._login, open=True)
        self._add("POST /logout", self._logout)
        self._add("GET /", self._live)
        self._add("GET /stream", self._stream)
        self._add("GET /events", self._events)
        self._add("GET /events/<n>", self._event)
        self._add("GET /clips", self._clips)
        self._add("GET /clips/<name>", self._clip)
        self._add("POST /clips/<name>", self._label)
        self._add("GET /record", self._record)
        self._add("POST /record/start", self._start)
        self._add("POST /record/stop", self._stop)
        self._add("POST /record/here", self._here)
        self._add("GET /health", self._health)

    # Who may come in

    def _add(self, what: str, callback: Callable[..., Any], *, open: bool = False) -> None:
        """Have ``callback`` answer a method and path, for whoever is logged in; ``open``: for everybody."""

        def guarded(**named: Any) -> Any:
            try:
                if not open:
                    self._demand_session()
                return callback(**named)
            except self._bottle.HTTPResponse:
                raise
            except VoicelatchError as error:
                _LOG.warning("%s %s: %s", self._request.method, self._request.path, error)
                status = 400 if isinstance(error, DataError) else 503
                raise self._bottle.HTTPError(status, error) from error
            except Exception as error:
                _LOG.exception("a defect at %s %s", self._request.method, self._request.path)
                raise self._bottle.HTTPError(500, "a defect; the journal has it") from error

        method, _, path = what.partition(" ")
        self.application.route(path, method=method, callback=guarded)

    def _demand_session(self) -> None:
        request = self._request
        session = self._parts.entrance.who(request.get_cookie(self._cookie) or "")
        if session is None:
            if request.method in SAFE_METHODS and "text/html" in request.environ.get("HTTP_ACCEPT", "*"):
                self._go("/login")
            raise self._bottle.HTTPError(401, "Please log in.")
        if request.method not in SAFE_METHODS:
            # Not by Bottle, which raises for a header that is no UTF-8.
            token = request.environ.get("HTTP_X_CSRF_TOKEN") or self._forms.getunicode("csrf") or ""
            if not same(session.csrf, token):
                raise self._bottle.HTTPError(403, "This form is too old. Go back, load the page again, and repeat it.")
        request.environ[SESSION] = session

    def _ask_password(self, *, problem: str = "", status: int = 200) -> str:
        cookie = self._request.get_cookie(self._login_cookie) or ""
        if not cookie:
            cookie = self._parts.entrance.new_cookie()
            self._set_cookie(self._login_cookie, cookie)
        self._bottle.response.status = status
        return self._pages.render("login", session=None, here="", title="Log in", problem=problem,
                                  token=self._parts.entrance.form_token(cookie))  # fmt: skip

    def _login(self) -> str:
        request, entrance = self._request, self._parts.entrance
        cookie = request.get_cookie(self._login_cookie) or ""
        if not entrance.is_our_form(cookie, self._forms.getunicode("csrf") or ""):
            return self._ask_password(problem="That form was too old. Please try again.", status=403)
        answer = entrance.enter(request.environ.get("REMOTE_ADDR", ""), self._forms.getunicode("password") or "")
        if answer.token:
            self._set_cookie(self._cookie, answer.token)
            self._go("/")
        if answer.wait_seconds:
            self._bottle.response.set_header("Retry-After", str(answer.wait_seconds))
        return self._ask_password(problem=answer.problem, status=429 if answer.wait_seconds else 403)

    def _logout(self) -> None:
        self._parts.entrance.leave(self._request.get_cookie(self._cookie) or "")
        self._bottle.response.delete_cookie(self._cookie, path="/", secure=self._parts.secure, httponly=True,
                                            samesite="strict")  # fmt: skip
        self._go("/login")

    # What happens now

    def _live(self) -> str:
        return self._show("live", "Live")

    def _stream(self) -> Iterator[bytes]:
        watcher = self._parts.broadcast.watch()
        if watcher is None:
            raise self._bottle.HTTPError(503, "Too many pages are open at once.")
        self._bottle.response.content_type = "text/event-stream; charset=utf-8"
        # A proxy that collects an answer before it passes it on would show what was.
        self._bottle.response.set_header("X-Accel-Buffering", "no")
        token = self._request.get_cookie(self._cookie) or ""
        return stream(watcher, self._parts.broadcast, self._parts.clock,
                      wanted=lambda: self._parts.entrance.who(token, touch=False) is not None)  # fmt: skip

    def _health(self) -> str:
        last = self._parts.broadcast.last
        rows = facts(last("status"), self._parts.look(), reachable=last("door").get("reachable") is True,
                     celsius=read_celsius())  # fmt: skip
        return self._show("health", "Health", facts=rows)

    # What happened

    def _events(self) -> str:
        query, today = self._request.query, self._parts.clock.wall_time().astimezone().date()
        day, show = _day(query.getunicode("day") or "", today), query.getunicode("show") or "visits"
        show = show if show in SHOWN else "visits"
        lines = [line_of(each) for each in self._visits.of_day(day, show)]
        return self._show("events", "Events", lines=lines, day=day, show=show, before=day - timedelta(days=1),
                          after=day + timedelta(days=1) if day < today else None, today=today)  # fmt: skip

    def _event(self, n: str) -> str:
        number = int(n) if _NUMBER.fullmatch(n) else -1
        told = self._visits.get(number) if 0 <= number <= LARGEST else None
        if told is None:
            raise self._bottle.HTTPError(404, "There is no event of this number.")
        scores, cosines = told.get("scores"), told.get("cosines")
        scores = scores if isinstance(scores, dict) else {}
        return self._show("event", f"Event {n}", line=line_of(told), told=told, explained=explain(told),
                          scores=sorted(scores.items(), key=lambda item: -item[1]),
                          cosines=cosines if isinstance(cosines, dict) else {})  # fmt: skip

    def _clips(self) -> str:
        listed, done = self._parts.door.clips(), self._request.query.getunicode("done")
        return self._show("clips", "Clips", clips=listed.clips, are_kept=listed.are_kept, people=listed.people,
                          count=listed.count, done=DONE.get(done or "", ""), in_words=outcome_in_words)  # fmt: skip

    def _clip(self, name: str) -> Any:
        content = self._parts.door.clip_audio(name)
        headers = {"Content-Type": "audio/wav", "Content-Length": str(len(content))}
        return self._bottle.HTTPResponse(b"" if self._request.method == "HEAD" else content, headers=headers)

    def _label(self, name: str) -> None:
        """Buttons: a resident's name as ``resident``; or ``what`` is a stranger (perhaps with a name), or to delete."""
        forms, door = self._forms, self._parts.door
        resident, what = forms.getunicode("resident"), forms.getunicode("what")
        if what == "delete":
            door.delete_clip(name)
            self._go("/clips?done=deleted")
        if not resident and what != "stranger":
            raise DataError("who it was is not clear", where=name, next_step="press one of the buttons below a clip")
        known_as = forms.getunicode("known_as") or ""
        door.label_clip(name, Label("allowed", resident) if resident else Label("others", known_as))
        self._go("/clips?done=labelled")

    # Recording

    def _record(self) -> str:
        today = f"{self._parts.clock.wall_time():%Y-%m-%d}"
        rows = [(each, missing(each, today=today)) for each in self._parts.door.progress()]
        return self._show("record", "Record", rows=rows, state=self._parts.recorder.state, roles=ROLES,
                          title_of=_title_of)  # fmt: skip

    def _start(self) -> None:
        forms = self._forms
        role = next((each for each in get_args(Role) if each == forms.getunicode("role")), None)
        if role is None:
            raise DataError("no such role", received=str(forms.getunicode("role"))[:40])
        self._parts.recorder.start(role, forms.getunicode("person") or "")
        self._go("/record")

    def _stop(self) -> None:
        self._parts.recorder.stop()
        self._go("/record")

    def _here(self) -> None:
        # 205: nothing is being recorded any more, the page is to be shown anew.
        self._bottle.response.status = 204 if self._parts.recorder.here() else 205

    # All of them

    @property
    def _request(self) -> Any:
        return self._bottle.request

    @property
    def _forms(self) -> Any:
        """What was filled in."""
        try:
            return self._request.forms
        except (ValueError, OSError) as error:
            raise self._bottle.HTTPError(400, "What was sent is no form.") from error

    def _show(self, name: str, title: str, **values: Any) -> str:
        session: Session = self._request.environ[SESSION]
        return self._pages.render(name, session=session, here=name, title=title, **values)

    def _static(self, name: str) -> Any:
        if name not in FILES:
            raise self._bottle.HTTPError(404, "There is no such file.")
        return self._bottle.static_file(name, root=str(STATIC), headers={"Cache-Control": "no-cache"})

    def _error(self, error: Any) -> str:
        session = self._request.environ.get(SESSION)
        told = error.body if isinstance(error.body, VoicelatchError) else None
        return self._pages.render("error", session=session, here="", title="That did not work",
                                  what=told.what if told else str(error.body),
                                  next_step=told.next_step if told else "")  # fmt: skip

    def _set_cookie(self, name: str, value: str) -> None:
        self._bottle.response.set_cookie(name, value, path="/", httponly=True, samesite="strict",
                                         secure=self._parts.secure)  # fmt: skip

    def _go(self, where: str) -> None:
        """See other: a page that is loaded again repeats nothing."""
        answer = self._bottle.response.copy(cls=self._bottle.HTTPResponse)
        answer.status, answer.body = 303, ""
        answer.set_header("Location", where)
        raise answer


def _day(text: str, today: date) -> date:
    try:
        return min(max(date.fromisoformat(text), date(2000, 1, 1)), today)
    except ValueError:
        return today


def _title_of(progress: Progress) -> str:
    role = "" if progress.role == "allowed" else f" ({progress.role})"
    return f"{progress.name}{role}" if progress.name else "Background of the door"
