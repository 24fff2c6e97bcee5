"""In development a changed template shows at once, although templates are kept compiled."""

import os
from pathlib import Path

import pytest
from django.template import Engine, TemplateDoesNotExist


@pytest.fixture
def engine(tmp_path: Path) -> Engine:
    loaders = [
        ("accountsstore.template_loader.ReloadingLoader", [("django.template.loaders.filesystem.Loader", [tmp_path])])
    ]
    return Engine(loaders=loaders)


def write(path: Path, text: str, at: int) -> None:
    """Two writes within a tick of the file system's clock would look like one."""
    path.write_text(text)
    os.utime(path, (at, at))


def test_a_changed_template_is_compiled_anew_also_where_another_one_includes_it(engine: Engine, tmp_path: Path) -> None:
    write(tmp_path / "page.html", "{% include 'part.html' %}", 1)
    write(tmp_path / "part.html", "before", 1)
    assert engine.render_to_string("page.html") == "before"
    write(tmp_path / "part.html", "after", 2)
    assert engine.render_to_string("page.html") == "after"


def test_an_unchanged_template_is_compiled_once(engine: Engine, tmp_path: Path) -> None:
    write(tmp_path / "page.html", "text", 1)
    assert engine.get_template("page.html") is engine.get_template("page.html")


def test_a_template_that_was_missing_is_found_when_it_is_there(engine: Engine, tmp_path: Path) -> None:
    with pytest.raises(TemplateDoesNotExist):
        engine.get_template("new.html")
    write(tmp_path / "new.html", "here", 1)
    assert engine.render_to_string("new.html") == "here"


def test_a_changed_template_that_another_request_forgets_in_the_same_moment_is_compiled_anew(
    engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path / "page.html", "before", 1)
    assert engine.render_to_string("page.html") == "before"
    write(tmp_path / "page.html", "after", 2)
    [loader] = engine.template_loaders

    def overtaken(known: object) -> bool:
        loader.get_template_cache.clear()
        return False

    monkeypatch.setattr("accountsstore.template_loader._is_current", overtaken)
    assert engine.render_to_string("page.html") == "after"
