"""Write the settings of a store on this machine, with secrets of its own: `dev_env.py var/dev.env`.

Safe to repeat: what the file already holds stays. Runs before the requirements are needed, so standard library only.
"""

import base64
import os
import secrets
import sys
from pathlib import Path

HEADER = "# Made by `make run` for this machine. Do not commit it. Your own settings belong in .env, which wins.\n"


def write(path: Path) -> None:
    text = path.read_text() if path.exists() else HEADER
    present = {line.partition("=")[0].strip() for line in text.splitlines()}
    wanted = {
        "DEBUG": "true",
        "SECRET_KEY": secrets.token_urlsafe(50),
        "CREDENTIAL_KEYS": "dev1:" + base64.b64encode(secrets.token_bytes(32)).decode(),
    }
    added = "".join(f"{name}={value}\n" for name, value in wanted.items() if name not in present)
    if added:
        # Made with its mode, then moved: at no moment may somebody else read a key, or a start see half a file.
        new = path.with_suffix(".new")
        new.unlink(missing_ok=True)
        with os.fdopen(os.open(new, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w") as file:
            file.write(text + ("" if text.endswith("\n") else "\n") + added)
        new.replace(path)


if __name__ == "__main__":
    write(Path(sys.argv[1]))
