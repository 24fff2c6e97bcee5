"""Somebody at a browser: pages with their cookies and tokens, HTMX, forms, the tab's socket, and time to read.

A step that does not give what a person would expect is a failure of that step, whatever its status, and ends the journey.
"""

import functools
import html
import random
import re
import ssl
import time
from argparse import Namespace
from http.cookiejar import Cookie
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import gevent
from locust import FastHttpUser
from locust.env import Environment
from locust.exception import RescheduleTask

from locustfiles.load.people import Cast
from locustfiles.load.store_socket import Frame, StoreSocket
from locustfiles.pages import form_fields

TOKEN = re.compile(r'X-CSRFToken": "([^"]+)"|name="csrfmiddlewaretoken" value="([^"]+)"')
# The script of a page that holds a socket: each of somebody signed in, and the queues of the staff desk.
SOCKET = "js/socket"
STATIC = re.compile(r'(?:href|src)="(/static/[^"]+)"')
TITLE = re.compile(r"<h1[^>]*>(.*?)</h1>", re.DOTALL)
# Between two pages of a journey people look; between two journeys their tab stands open (Person.rest).
LOOK_SECONDS = (2.0, 6.0)
PATIENCE_SECONDS = 30.0
# Of those who come, so many give their password; the others come with the session of another day, which lasts two weeks.
SIGN_IN_SHARE = 0.1
# static/js/live.js asks for the header's figures so long after an event.
LIVE_SECONDS = 0.4
LIVE_EVENTS = ("order.changed", "wallet.changed")


class Person(FastHttpUser):
    """One tab. Subclasses name their `role` and what they do in `journey`."""

    abstract = True
    role = ""
    # How many pages a journey opens, about: by it the first one of each begins at a moment of its own.
    pages = 1
    insecure = False
    network_timeout = connection_timeout = PATIENCE_SECONDS

    def __init__(self, environment: Environment) -> None:
        self.options = options_of(environment)
        self.ssl_context_factory = functools.partial(context, self.options.ca)
        super().__init__(environment)
        # Redirects are followed where a journey expects one.
        self.client.client.redirect_response_codes = frozenset()
        self.cast = cast_of(environment)
        # Who opens pages at a higher rate than people do also looks at them for less long.
        self.tempo = min(1.0, self.options.page_seconds / 60)
        self.me = self.cast.part(self.role)
        origin = str(self.host).rstrip("/")
        self.headers = {
            "X-Forwarded-For": self.cast.address(),
            "Accept-Language": "en",
            "User-Agent": "Mozilla/5.0 (X11; Linux x86_64) load test",
            "Origin": origin,
        }
        self.here, self.token, self.has_come = "/", "", False
        self.opened, self.began, self._pause = 0, time.monotonic(), 0.0
        self._live: gevent.Greenlet | None = None
        self.socket = StoreSocket(
            re.sub("^http", "ws", origin) + "/ws/",
            self.headers,
            self._cookies,
            context(self.options.ca) if origin.startswith("https") else None,
            self._measured,
            self.heard,
        )

    # ------------------------------------------------------------ living

    def live(self) -> None:
        """Locust's task: come, then one journey after the other."""
        self.opened, self.began = 0, time.monotonic()
        if not self.has_come:
            self.come()
            self.has_come = True
            self._pause = random.uniform(0, self.pages * self.options.page_seconds)
        else:
            self.journey()
            self._pause = self.rest()

    tasks = [live]

    def come(self) -> None:
        """Open the store, signed in or not."""
        if self.me and "sessionid=" not in self._cookies():
            if self.role == "staff" or random.random() < SIGN_IN_SHARE:
                self.sign_in()
            else:
                self._set_cookie("sessionid", self.me["session"])
        # The page of somebody signed in says who they are, for its scripts.
        self.page("home /", "/", has='name="store-user"' if self.me else 'id="main"')

    def journey(self) -> None:
        raise NotImplementedError

    def rest(self) -> float:
        """What is left of the time that so many pages take on average. Each person's own tempo varies by half."""
        due = self.opened * self.options.page_seconds * random.uniform(0.5, 1.5)
        return max(0.0, due - (time.monotonic() - self.began))

    def look(self) -> None:
        """Before the next page of a journey."""
        self.pause(random.uniform(*LOOK_SECONDS) * self.tempo)

    def pause(self, seconds: float) -> None:
        """Locust may stop a person here, and nowhere else within a journey."""
        self._pause = seconds
        self.wait()

    def wait_time(self) -> float:
        seconds, self._pause = self._pause, 0.0
        return seconds

    def on_stop(self) -> None:
        if self._live:
            self._live.kill()
        self.socket.close()

    def over(self) -> RescheduleTask:
        """What ends the journey when it is raised. The step that failed is counted already."""
        self._pause = self.options.page_seconds * random.random()
        return RescheduleTask()

    # ------------------------------------------------------------ asking

    def page(self, step: str, path: str, has: str) -> str:
        """Open a page, which must contain `has`. The tab's socket belongs to the page, so it is opened anew."""
        text = self.ask(step, "GET", path, has)
        self.here, self.opened = path, self.opened + 1
        if found := TOKEN.search(text):
            self.token = found[1] or found[2]
        if self.role == "visitor" and not self.has_come and self.options.static:
            self._load_files(text)
        if SOCKET in text:
            self.socket.open()
        return text

    def part(self, step: str, path: str, has: str, target: str = "") -> str:
        """What HTMX fetches for a part of the page that is open."""
        return self.ask(step, "GET", path, has, headers=self._htmx(target))

    def ask(
        self, step: str, method: str, path: str, has: str, *, status: int = 200, headers: Any = None, **more: Any
    ) -> str:
        """One request. Its text must contain `has`; a journey ends where it does not."""
        headers = self.headers | {"Referer": self.headers["Origin"] + self.here} | (headers or {})
        with self.client.request(method, path, name=step, headers=headers, catch_response=True, **more) as answer:
            text = answer.text or ""
            if answer.status_code != status:
                answer.failure(_instead(answer))
            elif has not in text and has not in html.unescape(text):
                heading = TITLE.search(text)
                answer.failure(f"is another page: {heading[1].strip()[:60] if heading else text[:60]!r}")
            else:
                answer.success()
                return text
        raise self.over()

    def submit(self, step: str, path: str, fields: dict[str, str], leads_to: str, **more: Any) -> str:
        """Send a form as a browser does; where the answer leads, which must begin with `leads_to`."""
        headers = self.headers | {"Referer": self.headers["Origin"] + self.here}
        data: dict[str, str] = {"csrfmiddlewaretoken": self.token} | fields
        with self.client.post(path, data, name=step, headers=headers, catch_response=True, **more) as answer:
            target = _target(answer)
            if answer.status_code == 302 and target.startswith(leads_to):
                answer.success()
                return target
            answer.failure(_instead(answer))
        raise self.over()

    def change(self, step: str, path: str, has: str) -> str:
        """A form that HTMX sends."""
        return self.ask(step, "POST", path, has, headers=self._htmx() | {"X-CSRFToken": self.token})

    def sign_in(self) -> None:
        path = "/account/login/"
        fields = form_fields(self.page("sign-in form /account/login/", path, has='name="password"'))
        fields |= {"login": self.me["email"], "password": self.cast.password}
        self.submit("sign in /account/login/", path, fields, leads_to="/")

    def _htmx(self, target: str = "") -> dict[str, str]:
        headers = {"HX-Request": "true", "HX-Current-URL": self.headers["Origin"] + self.here}
        return headers | ({"HX-Target": target} if target else {})

    def _load_files(self, text: str) -> None:
        """What a browser that was never here fetches for its first page."""
        for path in dict.fromkeys(STATIC.findall(text)):
            self.ask("static file /static/…", "GET", path, has="")

    # ------------------------------------------------------------ the socket

    def heard(self, frame: Frame) -> None:
        """As static/js/live.js: the header's figures are fetched anew a moment after an event."""
        if frame["type"] in LIVE_EVENTS and not self._live:
            self._live = gevent.spawn_later(LIVE_SECONDS, self._refresh)

    def _refresh(self) -> None:
        try:
            self.ask(
                "header figures /live/", "GET", "/live/", '"notifications"', headers={"Accept": "application/json"}
            )
        except RescheduleTask:
            pass  # counted; the next event asks again
        finally:
            self._live = None

    def _measured(self, name: str, milliseconds: float, error: str) -> None:
        self.environment.events.request.fire(
            request_type="WS",
            name=name,
            response_time=milliseconds,
            response_length=0,
            exception=ConnectionError(error) if error else None,
            context={},
        )

    # ------------------------------------------------------------ cookies

    def _cookies(self) -> str:
        return "; ".join(f"{cookie.name}={cookie.value}" for cookie in self.client.cookiejar)

    def _set_cookie(self, name: str, value: str) -> None:
        host = urlsplit(str(self.host)).hostname or ""
        # What http.cookiejar calls a host without a dot.
        domain = host if "." in host else f"{host}.local"
        secure = str(self.host).startswith("https")
        self.client.cookiejar.set_cookie(
            Cookie(0, name, value, None, False, domain, False, False, "/", True, secure, None, False, None, None, {})
        )


def _target(answer: Any) -> str:
    """Where an answer leads; nothing for any other."""
    return str(answer.headers.get("location", "")) if answer.headers else ""


def _instead(answer: Any) -> str:
    """What came in the place of the page, for the report."""
    if not answer.status_code:
        return repr(answer.error)[:200]
    heading = TITLE.search(answer.text or "")
    said = _target(answer) or (heading[1].strip() if heading else "")
    return f"answered {answer.status_code} {said}"[:200]


@functools.cache
def context(ca: str) -> ssl.SSLContext:
    """One for all people of a process: each would read all authorities of the system."""
    return ssl.create_default_context(cafile=ca or None)


def options_of(environment: Environment) -> Namespace:
    assert environment.parsed_options
    return environment.parsed_options


def cast_of(environment: Environment) -> Cast:
    """The cast of this process, read once."""
    options, runner = options_of(environment), environment.runner
    return _cast(Path(options.cast), runner.worker_index if runner else 0, options.workers)


@functools.cache
def _cast(path: Path, process: int, processes: int) -> Cast:
    return Cast(path, process, processes)
