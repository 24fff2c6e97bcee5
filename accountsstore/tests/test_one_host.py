"""docs/operations/one-host.md can be typed as it stands: what needs neither root nor systemd is typed here; of the rest,
what it names exists."""

import io
import os
import re
import subprocess
from pathlib import Path

from django.conf import settings
from django.core.management import call_command, get_commands

ROOT: Path = settings.BASE_DIR
PAGE = (ROOT / "docs" / "operations" / "one-host.md").read_text()
BLOCKS = re.findall(r"^```sh\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
TYPED = "".join(BLOCKS)
STORE_MANAGE = (ROOT / "deploy" / "systemd" / "store-manage").read_text()
# Units that Debian's packages bring.
DEBIAN = {"nginx", "redis-server"}


def block(line: str) -> str:
    """The one block that has this in it."""
    (found,) = [text for text in BLOCKS if line in text]
    return found


class Host:
    """A folder in the place of /, for what the page has an operator type as root."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.home = root / "opt" / "accounts-store"
        self.home.parent.mkdir()
        self.home.symlink_to(ROOT)
        for name in ("etc", "bin", "var/lib/accounts-store", "var/backups/accounts-store"):
            (root / name).mkdir(parents=True)
        # The script itself, but for changing to the user of the units.
        asked = re.sub(r"setpriv .* --init-groups", "", STORE_MANAGE)
        assert asked != STORE_MANAGE
        (root / "bin" / "store-manage").write_text(self.here(asked))
        (root / "bin" / "store-manage").chmod(0o755)
        # Nothing of this machine's own store.
        var = str(root / "var" / "lib" / "accounts-store")
        self.env = {"PATH": f"{root / 'bin'}:{os.environ['PATH']}", "HOME": str(root), "VAR_DIR": var}

    def here(self, text: str) -> str:
        return re.sub(r"(?<![\w.])/(etc|opt|var)/", rf"{self.root}/\1/", text)

    def type(self, lines: str) -> str:
        """What a shell prints to these lines. Fails when one of them does."""
        done = subprocess.run(
            ["bash", "-e", "-c", self.here(lines)],
            cwd=self.home, env=self.env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout
        return done.stdout


def test_a_host_without_secrets_gets_settings_with_which_the_store_starts(tmp_path: Path) -> None:
    host = Host(tmp_path)
    rendered = host.type(block("inventory.toml <<"))
    assert f"{tmp_path}/etc/accounts-store/deployed/nginx/nginx.conf" in rendered
    # The Redis of the tests has no password.
    lines = re.sub(r"^REDIS_URL=.*$", f"REDIS_URL={settings.REDIS_URL}", block("secrets.env <<END"), flags=re.MULTILINE)
    told = host.type(lines)
    assert "manage.py check --deploy finds nothing" in told
    assert "Redis answers" in told
    assert all(line.startswith("ok ") for line in told.splitlines()), told
    secrets = tmp_path / "etc" / "accounts-store" / "secrets.env"
    assert secrets.stat().st_mode & 0o077 == 0


def test_what_it_takes_of_the_rendered_files_is_rendered(tmp_path: Path) -> None:
    inventory = tmp_path / "inventory.toml"
    inventory.write_text(re.search(r"inventory\.toml <<'END'\n(.*?)^END$", TYPED, re.MULTILINE | re.DOTALL)[1])  # type: ignore[index]
    call_command("render_deploy", inventory, into=tmp_path / "deployed", stdout=io.StringIO())
    taken = re.findall(r"/etc/accounts-store/deployed/([\w./-]+)", TYPED)
    assert len(taken) > 3
    for path in taken:
        assert (tmp_path / "deployed" / path).exists(), path
    known = DEBIAN | {path.name for path in (tmp_path / "deployed" / "systemd").iterdir()}
    for line in re.findall(r"^systemctl (?:start|restart|enable --now) (.+)$", TYPED, re.MULTILINE):
        for unit in line.split("$")[0].split():
            assert {unit, f"{unit}.service"} & known, unit
    for unit in re.findall(r"/etc/systemd/system/([\w.@-]+)\.d\b", TYPED):
        assert unit in known


def test_the_files_commands_and_settings_that_it_names_exist() -> None:
    for path in re.findall(r"(?<![\w/])deploy/[\w./-]+", TYPED):
        assert (ROOT / path).exists(), path
    assert set(re.findall(r"store-manage ([a-z_]+)", PAGE)) <= set(get_commands())
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert set(re.findall(r"^make ([a-z-]+)", TYPED, re.MULTILINE)) <= targets
    explained = (ROOT / ".env.example").read_text()
    named = re.findall(r"^([A-Z_]+)=", block("secrets.env <<END"), re.MULTILINE)
    assert len(named) > 5
    for name in named:
        assert re.search(rf"^(# )?{name}=", explained, re.MULTILINE), name
