"""The Arabic catalogue holds every string that people see, whole and with its placeholders."""

import io
import re
from collections import Counter
from pathlib import Path

import pytest
from babel.messages.extract import extract
from babel.messages.pofile import read_po
from django.conf import settings
from django.utils import translation
from django.utils.translation import gettext, ngettext
from django.utils.translation.template import templatize

ROOT = Path(settings.BASE_DIR)
CATALOGUE = ROOT / "accountsstore/locale/ar/LC_MESSAGES/django.po"
APPS = ("accountsstore", "accounts", "uploads", "listings", "payments", "chat")
PLURAL, CONTEXT, CONTEXT_PLURAL = (1, 2), ((1, "c"), 2), ((1, "c"), 2, 3)
KEYWORDS = {
    **dict.fromkeys(("_", "gettext", "gettext_lazy", "gettext_noop")),
    **dict.fromkeys(("ngettext", "ngettext_lazy"), PLURAL),
    **dict.fromkeys(("pgettext", "pgettext_lazy"), CONTEXT),
    **dict.fromkeys(("npgettext", "npgettext_lazy"), CONTEXT_PLURAL),
}
HOW = "Run `manage.py makemessages -l ar --no-location --no-wrap` (it needs gettext) and translate what is new."

# A key of the catalogue: the context or None, and the text (of the singular, where there is a plural).
Key = tuple[str | None, str]


def source_files() -> list[Path]:
    """Everything that a page, a mail or a message is made of, for customers and for staff: no tests and no commands."""
    unseen = {"tests", "management", "migrations"}
    files = (path for app in APPS for path in (ROOT / app).rglob("*") if path.suffix in {".py", ".html", ".txt"})
    return [path for path in files if not unseen & set(path.parts)]


def strings_of(path: Path) -> set[Key]:
    """The marked strings of a Python file or a template."""
    text = path.read_text(encoding="utf-8")
    if path.suffix != ".py":
        # Lines of a template are indented for people; as Python they must not be.
        text = "\n".join(line.strip() for line in templatize(text).splitlines())
    found = set()
    for _line, message, _comments, context in extract("python", io.BytesIO(text.encode()), KEYWORDS):
        found.add((context, message if isinstance(message, str) else message[0]))
    return {key for key in found if key[1]}


@pytest.fixture(scope="module")
def catalogue() -> dict[Key, object]:
    with CATALOGUE.open("rb") as file:
        messages = [message for message in read_po(file, locale="ar") if message.id]
    return {(m.context, m.id if isinstance(m.id, str) else m.id[0]): m for m in messages}


def texts(message) -> tuple[str, ...]:
    return (message.string,) if isinstance(message.string, str) else tuple(message.string)


def placeholders(text: str) -> Counter[str]:
    return Counter(re.findall(r"%\(\w+\)[sd]|%%|%[sd]|\{\w+\}", text))


def tags(text: str) -> Counter[str]:
    return Counter(re.findall(r"</?\w+[^>]*>", text))


def test_every_string_that_people_see_is_in_the_arabic_catalogue(catalogue):
    files = source_files()
    missing = {key: path for path in files for key in strings_of(path) if key not in catalogue}

    assert len(files) > 200, "the search for sources finds too little to prove anything"
    assert not missing, f"{HOW} Missing: " + "; ".join(f"{p.relative_to(ROOT)}: {k[1]!r}" for k, p in missing.items())


def test_no_arabic_text_is_empty_or_a_guess(catalogue):
    open_ends = [key[1] for key, message in catalogue.items() if message.fuzzy or not all(texts(message))]

    assert catalogue
    assert not open_ends, f"Translate: {open_ends}"


def test_arabic_keeps_every_placeholder_and_tag(catalogue):
    broken = []
    for key, message in catalogue.items():
        if isinstance(message.id, str):
            if placeholders(message.id) != placeholders(message.string) or tags(message.id) != tags(message.string):
                broken.append(key[1])
            continue
        # None, one and two are words in Arabic ("ساعتين"), so these three forms may leave the figure out.
        wanted = placeholders(message.id[1])
        for number, text in enumerate(texts(message)):
            lost = wanted - placeholders(text)
            invented = placeholders(text) - wanted
            if invented or lost.total() > (1 if number < 3 else 0) or tags(text) != tags(message.id[1]):
                broken.append(f"{key[1]} [{number}]")

    assert not broken, f"Placeholders or tags differ: {broken}"


def test_arabic_has_all_six_plural_forms(catalogue):
    plurals = [message for message in catalogue.values() if not isinstance(message.id, str)]

    assert len(plurals) > 10
    assert [message.id for message in plurals if len(texts(message)) != 6] == []


def test_arabic_can_stand_in_an_attribute(catalogue):
    """`{% translate %}` prints a text as it is, often between double quotes: «» quote, and markup stays outside."""
    loud = [
        key[1]
        for key, m in catalogue.items()
        for text in texts(m)
        if "!" in text or '"' in re.sub(r"<[^>]*>", "", text)
    ]

    assert loud == []


def test_the_compiled_catalogue_counts_the_arabic_way():
    hours = [ngettext("%(count)d hour", "%(count)d hours", 1) % {"count": 1}]
    with translation.override("ar"):
        hours += [ngettext("%(count)d hour", "%(count)d hours", n) % {"count": n} for n in (1, 2, 3, 11, 100)]
        escrow = gettext("In escrow")

    assert hours == ["1 hour", "ساعة واحدة", "ساعتين", "3 ساعات", "11 ساعة", "100 ساعة"]
    assert escrow == "في الضمان"
