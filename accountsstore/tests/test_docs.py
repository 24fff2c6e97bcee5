"""The docs are held to the code: what they name exists, what the code writes is fresh, links lead somewhere."""

import re
from pathlib import Path

import pytest
from django.conf import settings
from django.core.management import CommandError, call_command, get_commands

from accountsstore.management.commands import render_docs

ROOT: Path = settings.BASE_DIR
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
OURS = {name for name, app in get_commands().items() if app in ("accountsstore", "listings", "payments", "chat")}


def test_what_the_code_writes_into_the_docs_is_fresh() -> None:
    call_command("render_docs", check=True)


def test_a_stale_page_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(render_docs.PAGES, "orders.md", lambda: "something else")
    with pytest.raises(CommandError, match=r"orders\.md"):
        call_command("render_docs", check=True)


@pytest.mark.parametrize("page", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_to_files_that_exist(page: Path) -> None:
    for target in re.findall(r"\]\((?!https?:|mailto:|#)([^)#]+)", page.read_text()):
        assert (page.parent / target).exists(), target


@pytest.mark.parametrize("page", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_commands_and_targets_that_are_named_exist(page: Path) -> None:
    text = page.read_text()
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert set(re.findall(r"manage\.py ([a-z_]+)", text)) <= set(get_commands())
    assert set(re.findall(r"`make ([a-z-]+)", text)) <= targets


def test_every_command_of_ours_is_in_the_list() -> None:
    listed = set(re.findall(r"^\| `([a-z_]+)", (ROOT / "docs" / "commands.md").read_text(), re.MULTILINE))
    assert listed >= OURS


@pytest.mark.parametrize("page", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_paths_that_are_named_exist(page: Path) -> None:
    for path in re.findall(
        r"`((?:accountsstore|accounts|uploads|listings|payments|chat|deploy|docs)/[\w./-]+)`", page.read_text()
    ):
        assert (ROOT / path).exists(), path
