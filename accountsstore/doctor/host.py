"""The machine: the kernel's settings and the limits of its processes."""

import resource
from collections.abc import Iterator
from pathlib import Path

from django.conf import settings

from accountsstore.doctor.points import Finding, point

PROC = Path("/proc/sys")
# Half a host's sockets and what a process opens besides (deploy/systemd sets more).
OPEN_FILES = 65_536
# More of these does no harm; the others must be as they are written.
AT_LEAST = {"net.core.somaxconn", "net.ipv4.tcp_max_syn_backlog", "fs.file-max", "fs.nr_open"}


@point("kernel")
def kernel() -> Iterator[Finding]:
    file = settings.BASE_DIR / "deploy" / "sysctl" / "60-accounts-store.conf"
    others = []
    for line in file.read_text().splitlines():
        name, is_setting, wanted = line.partition(" = ")
        if not is_setting or name.startswith("#"):
            continue
        try:
            found = " ".join((PROC / name.replace(".", "/")).read_text().split())
        except OSError:
            # A container has not all of them.
            continue
        if not (int(found) >= int(wanted) if name in AT_LEAST else found == wanted):
            others.append(f"{name} is {found}, not {wanted}")
    if others:
        yield Finding("warning", "; ".join(others), "Copy deploy/sysctl/ to /etc/sysctl.d/ and run sysctl --system.")
    else:
        yield Finding("ok", f"as {file.name} has it")


@point("open files")
def open_files() -> Iterator[Finding]:
    _soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < OPEN_FILES:
        yield Finding(
            "warning",
            f"a process may open {hard} files, and each socket is one",
            f"LimitNOFILE={OPEN_FILES} in the units, as deploy/systemd has it.",
        )
    else:
        yield Finding("ok", "a process may open enough")
