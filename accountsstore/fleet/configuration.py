"""The configuration files of deploy/, filled in for one server. They are templates of Python's `string.Template`."""

import os
import re
from collections.abc import Mapping
from pathlib import Path
from string import Template

from accountsstore.fleet.errors import ServerError

DEPLOY = Path(__file__).resolve().parents[2] / "deploy"


def render(template: str, values: Mapping[str, object]) -> str:
    """The text of deploy/`template` with `values` in the place of its ${names}.

    Raises ServerError for a value that would end the quotes it stands in, KeyError for a name without a value.
    """
    for name, value in values.items():
        if re.search(r'["\\\x00-\x1f]', str(value)):
            raise ServerError(f"{name} must not have quotes, backslashes or control characters in it: {str(value)!r}")
    return Template((DEPLOY / template).read_text()).substitute({name: str(value) for name, value in values.items()})


def write_private(path: Path, text: str) -> None:
    """Write a file that its owner alone may read: it holds a password. Complete or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_name(path.name + ".new")
    new.unlink(missing_ok=True)
    with os.fdopen(os.open(new, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w") as file:
        file.write(text)
    new.replace(path)
