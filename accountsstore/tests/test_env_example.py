"""`.env.example` is the list of settings: it must be the list that settings.py reads."""

import re

from django.conf import settings

READ = re.compile(r'\b(?:env(?:\.\w+)?|secret)\(\s*"([A-Z][A-Z0-9_]+)"')
SHOWN = re.compile(r"^(?:# )?([A-Z][A-Z0-9_]+)=", re.MULTILINE)


def test_every_setting_from_the_environment_is_explained_and_nothing_else_is() -> None:
    read = set(READ.findall((settings.BASE_DIR / "accountsstore" / "settings.py").read_text()))
    shown = SHOWN.findall((settings.BASE_DIR / ".env.example").read_text())
    assert len(shown) == len(set(shown))
    assert set(shown) == read
    assert len(read) > 20
