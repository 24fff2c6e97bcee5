"""What the world sees: settings that would harm, and the certificate."""

import datetime
import socket
import ssl
import warnings
from collections.abc import Iterator
from urllib.parse import urlsplit

from django.conf import settings
from django.core import checks
from django.core.checks import Tags

from accountsstore.doctor.points import Finding, by_limits, point
from accountsstore.servers import servers_asked

CONNECT_SECONDS = 5
# A certificate of Let's Encrypt is renewed 30 days before its end.
SOON_DAYS, TOO_SOON_DAYS = 21, 7


@point("debug")
def debug() -> Iterator[Finding]:
    if settings.DEBUG:
        yield Finding("wrong", "DEBUG is on: errors show the code's insides to everybody", "DEBUG=false")
    else:
        yield Finding("ok", "off")


@point("secrets")
def secrets() -> Iterator[Finding]:
    weak = [
        name
        for name, values in (
            ("SECRET_KEY", [settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS]),
            ("CREDENTIAL_KEYS", settings.CREDENTIAL_KEYS),
            ("BACKUP_KEYS", settings.BACKUP_KEYS),
        )
        if any(_is_weak(value) for value in values)
    ]
    for name in weak:
        yield Finding("wrong", f"{name} is one of tests, or short enough to guess", f"See {name} in .env.example.")
    if not settings.BACKUP_KEYS:
        yield Finding("warning", "BACKUP_KEYS is not set: there can be no backup", "See docs/operations/backups.md.")
    if not weak and settings.BACKUP_KEYS:
        yield Finding("ok", "set, and none that others know")


def _is_weak(value: str) -> bool:
    key = value.partition(":")[2] or value
    # "test-only" as it is, and in base64.
    return len(key) < 40 or len(set(key)) < 10 or "test-only" in key or "dGVzdC1vbmx5" in key


@point("settings")
def harmful_settings() -> Iterator[Finding]:
    found = [
        each
        for each in checks.run_checks(tags=[Tags.security], include_deployment_checks=True)
        if not each.is_silenced()
    ]
    for each in found:
        level = "wrong" if each.level >= checks.ERROR else "warning"
        yield Finding(level, " ".join(each.msg.split()), " ".join((each.hint or "See .env.example.").split()))  # type: ignore[arg-type]
    if not found:
        yield Finding("ok", "manage.py check --deploy finds nothing")


@point("servers")
def servers() -> Iterator[Finding]:
    for server, error in servers_asked():
        if error:
            yield Finding(
                "wrong", f"{server.title} does not answer ({type(error).__name__})", f"See {server.variable}."
            )
        else:
            yield Finding("ok", f"{server.title} answers")


@point("certificate")
def certificate() -> Iterator[Finding]:
    address = urlsplit(settings.STORE_URL)
    if address.scheme != "https":
        yield Finding("warning", "STORE_URL is not https://", "Set it to the address that customers use.")
        return
    try:
        with _connected(ssl.create_default_context()) as found:
            ends = ssl.cert_time_to_seconds(str((found.getpeercert() or {})["notAfter"]))
    except ssl.SSLCertVerificationError as error:
        yield Finding("wrong", f"browsers refuse it: {error.verify_message}", "Renew it, and have nginx reload.")
        return
    days = (ends - datetime.datetime.now(datetime.UTC).timestamp()) / 86_400
    yield Finding(by_limits(-days, -SOON_DAYS, -TOO_SOON_DAYS), f"ends in {days:.0f} days", "Renew it; nginx reloads.")


@point("TLS versions")
def tls_versions() -> Iterator[Finding]:
    if urlsplit(settings.STORE_URL).scheme != "https":
        return
    old = ssl.create_default_context()
    old.check_hostname, old.verify_mode = False, ssl.CERT_NONE
    old.set_ciphers("ALL:@SECLEVEL=0")
    with warnings.catch_warnings():
        # Deprecated, and so looked for.
        warnings.simplefilter("ignore", DeprecationWarning)
        old.minimum_version, old.maximum_version = ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1
    try:
        with _connected(old) as found:
            yield Finding(
                "wrong", f"{found.version()} is spoken", "ssl_protocols TLSv1.2 TLSv1.3; as deploy/nginx has it."
            )
    except (ssl.SSLError, ConnectionResetError):
        yield Finding("ok", "nothing below TLS 1.2")


def _connected(context: ssl.SSLContext) -> ssl.SSLSocket:
    address = urlsplit(settings.STORE_URL)
    host = address.hostname or ""
    plain = socket.create_connection((host, address.port or 443), timeout=CONNECT_SECONDS)
    try:
        return context.wrap_socket(plain, server_hostname=host)
    except BaseException:
        plain.close()
        raise
