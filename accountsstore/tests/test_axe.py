"""axe looks at one page of every kind that a person reaches by following links, in both languages: light on a desktop in
English, dark on a phone in Arabic. Nothing may be found, and no page may be wider than the screen."""

from collections import deque
from collections.abc import Callable
from urllib.parse import urlsplit

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.urls import resolve

from accountsstore.demo import SIGN_INS
from accountsstore.tests.demo.test_crawl import local
from accountsstore.tests.person import Person

pytestmark = [pytest.mark.browser, pytest.mark.slow]

SIGN_IN = {role: (email, password) for role, email, password in reversed(SIGN_INS)}
LINKS = "[...document.querySelectorAll('a[href]')].map((link) => link.href)"
OTHERWISE_FOR_EACH = {"listings:home", "listings:listing"}
# A file is no page, and the staff desk has tests of its own: its frame is django-unfold's.
LEFT_OUT = ("/files/", "/static/", "/admin/", "/wallet/statement.csv", "/dev/")


@pytest.mark.parametrize(("language", "dark", "width"), [("en", False, 1440), ("ar", True, 360)])
def test_axe_finds_nothing_on_any_page(person: Callable[..., Person], language: str, dark: bool, width: int) -> None:
    everybodys: set[str] = set()
    faults: list[str] = []
    for role in ("visitor", "buyer", "seller"):
        somebody = person(language)
        page = somebody.page
        if role in SIGN_IN:
            somebody.sign_in(*SIGN_IN[role])
            page.context.add_cookies([{"name": "django_language", "value": language, "url": somebody.store.url}])
        page.set_viewport_size({"width": width, "height": 900})
        page.emulate_media(color_scheme="dark" if dark else "light")
        # Somebody signed in finds what a visitor does not, and what is otherwise for them.
        seen = everybodys - OTHERWISE_FOR_EACH
        before = len(seen)
        waiting = deque(["/"])
        while waiting:
            path = waiting.popleft()
            kind = resolve(urlsplit(path).path).view_name
            if kind in seen or path.startswith(LEFT_OUT):
                continue
            seen.add(kind)
            page.goto(path)
            results = Axe().run(page)
            if results.violations_count:
                faults.append(f"{path} ({role})\n{results.generate_report()}")
            if page.evaluate("document.documentElement.scrollWidth") > width:
                faults.append(f"{path} ({role}) is wider than the screen")
            links = (urlsplit(link) for link in page.evaluate(LINKS) if link.startswith(somebody.store.url))
            waiting.extend(sorted(local("/", (link.path + (f"?{link.query}" if link.query else "") for link in links))))
        everybodys = everybodys or seen
        assert len(seen) > before + 5, f"the links of the {role} were not followed"
    assert not faults, "\n\n".join(faults)
