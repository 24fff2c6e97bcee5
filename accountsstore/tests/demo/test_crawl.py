"""Every page that can be reached by following links, as each kind of person, with the demo's data.

At most SAME pages of one kind (one URL pattern) are opened, and fewer in the admin: a hundred orders look alike.
"""

import re
from collections import Counter, deque
from collections.abc import Iterable
from html.parser import HTMLParser
from urllib.parse import urldefrag, urljoin, urlsplit

import pytest
from django.contrib.staticfiles import finders
from django.test import Client
from django.urls import resolve

from accounts.models import User
from accountsstore.demo.people import BUYERS, OWNER, SELLERS, STAFF

pytestmark = pytest.mark.slow

SAME, SAME_IN_ADMIN = 6, 2
# What following a link must not do: sign out, or pick the language for the rest of the crawl.
LEFT_OUT = re.compile(r"^/(account/logout|language)/")
# A lazy mistake of a template shows as one of these.
LEFTOVERS = re.compile(r"\{\{|\{%|<c-[a-z]|<c-slot|object at 0x|OrderedDict\(")


class Links(HTMLParser):
    """Where a page leads, and what it loads."""

    def __init__(self) -> None:
        super().__init__()
        self.pages: set[str] = set()
        self.loads: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = {name: value for name, value in attrs if value}
        if tag == "a" and "href" in found:
            self.pages.add(found["href"])
        for name in ("hx-get", "data-src"):
            if name in found:
                self.pages.add(found[name])
        if tag in ("img", "script") and "src" in found:
            self.loads.add(found["src"])
        if tag == "link" and found.get("rel") != "canonical" and "href" in found:
            self.loads.add(found["href"])


def local(base: str, links: Iterable[str]) -> set[str]:
    """The links that stay in the store, as paths with their query."""
    found = set()
    for link in links:
        parts = urlsplit(urldefrag(urljoin(f"http://testserver{base}", link))[0])
        if parts.scheme == "http" and parts.netloc == "testserver" and not LEFT_OUT.match(parts.path):
            found.add(parts.path + (f"?{parts.query}" if parts.query else ""))
    return found


def crawl(client: Client, start: str, same: int = SAME, same_in_admin: int = SAME_IN_ADMIN) -> Counter[str]:
    """Opens pages from `start` on; gives how many of each kind. Fails naming the page, where it was linked, and why."""
    # A page that fails is one fault among those found, with its address.
    client.raise_request_exception = False
    faults: list[str] = []
    opened: Counter[str] = Counter()
    loaded: set[str] = set()
    known, queue = {start}, deque([(start, "the start")])
    while queue:
        page, linked_on = queue.popleft()
        kind = resolve(urlsplit(page).path).route
        if opened[kind] >= (same_in_admin if kind.startswith("admin/") else same):
            continue
        opened[kind] += 1
        answer = client.get(page)
        if answer.status_code in (301, 302):
            targets = {answer.headers["Location"]}
        elif answer.status_code == 403 and kind.startswith("admin/"):
            # Linked for whoever may see it; the others are told that they may not.
            continue
        elif answer.status_code != 200:
            faults.append(f"{page} (linked on {linked_on}) answers {answer.status_code}")
            continue
        elif not answer.headers["Content-Type"].startswith("text/html"):
            continue
        else:
            text = answer.content.decode()
            if leftover := LEFTOVERS.search(text):
                around = text[max(leftover.start() - 60, 0) : leftover.end() + 60]
                faults.append(f"{page} shows {around!r}")
            links = Links()
            links.feed(text)
            targets = links.pages
            for address in local(page, links.loads) - loaded:
                loaded.add(address)
                if not loads(client, address):
                    faults.append(f"{page} loads {address}, which is not there")
        for target in sorted(local(page, targets) - known):
            known.add(target)
            queue.append((target, page))
    assert not faults, "\n".join(faults)
    return opened


def loads(client: Client, address: str) -> bool:
    path = urlsplit(address).path
    if path.startswith("/static/"):
        # Built files are made by `make`; here the sources are looked at.
        return path.startswith("/static/build/") or finders.find(path.removeprefix("/static/")) is not None
    return client.get(address).status_code == 200


def signed_in(username: str) -> Client:
    client = Client()
    client.force_login(User.objects.get(username=username))
    return client


@pytest.mark.django_db
def test_a_visitor(demo: str) -> None:
    opened = crawl(Client(), "/")
    assert opened["listing/<code>/<slug>/"] == SAME
    assert {"", "browse/", "help/", "fees/", "rules/", "terms/"} <= set(opened)


@pytest.mark.django_db
@pytest.mark.parametrize("username", [BUYERS[0].username, "hana", "carla"])
def test_a_buyer(demo: str, username: str) -> None:
    opened = crawl(signed_in(username), "/")
    assert {"orders/", "orders/<number>/", "wallet/", "messages/", "notifications/", "me/"} <= set(opened)


@pytest.mark.django_db
@pytest.mark.parametrize("username", [SELLERS[0].username, "zaytoun"])
def test_a_seller(demo: str, username: str) -> None:
    opened = crawl(signed_in(username), "/")
    assert {"sell/", "sell/listings/", "sell/orders/", "sell/earnings/"} <= set(opened)


@pytest.mark.django_db
@pytest.mark.parametrize("username", [*(person.username for person in STAFF), OWNER.username])
def test_staff(demo: str, username: str) -> None:
    opened = crawl(signed_in(username), "/admin/")
    assert any("deposit" in kind for kind in opened)
    assert sum(count for kind, count in opened.items() if kind.startswith("admin/")) > 20


@pytest.mark.django_db
def test_the_crawl_finds_a_page_that_is_broken(demo: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from django.template.exceptions import TemplateSyntaxError

    from accountsstore import views

    def broken(*args: object, **kwargs: object) -> None:
        raise TemplateSyntaxError

    client = Client(raise_request_exception=False)
    monkeypatch.setattr(views, "render", broken)
    with pytest.raises(AssertionError, match=r"/help/ \(linked on /\) answers 500"):
        crawl(client, "/")
