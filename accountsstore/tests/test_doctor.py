"""`manage.py doctor` finds what is wrong, and says what to do. Each wrong state is a real one."""

import datetime
import ipaddress
import resource
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from django.core.management import CommandError, call_command
from django.db import connection
from django.utils import timezone
from pytest_django import Settings

from accountsstore import clock
from accountsstore.backup import take, vault
from accountsstore.doctor import Finding, examine, host
from accountsstore.models import ClockPart
from accountsstore.redis import client
from accountsstore.servers import queue_client
from accountsstore.tests.test_backup import folder  # noqa: F401  (a fixture)
from uploads.tests.s3_for_tests import bucket, s3_url  # noqa: F401  (fixtures)

pytestmark = [pytest.mark.stack, pytest.mark.django_db(transaction=True)]


def found(point: str) -> list[Finding]:
    return [finding for _name, finding in examine([point])]


def level(point: str) -> str:
    """The worst of what was found."""
    return max((finding.level for finding in found(point)), key=["ok", "warning", "wrong"].index)


def test_what_is_wrong_ends_the_command_with_exit_code_1_and_each_remedy(settings: Settings) -> None:
    settings.DEBUG = True
    out = StringIO()
    with pytest.raises(CommandError, match="1 points are wrong"):
        call_command("doctor", "debug", stdout=out)
    assert "DEBUG=false" in out.getvalue()
    settings.DEBUG = False
    call_command("doctor", "debug", stdout=out)
    with pytest.raises(CommandError, match="There is no point nose"):
        call_command("doctor", "nose")


def test_a_point_that_cannot_be_looked_at_is_wrong_and_the_others_are_looked_at(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(host, "resource", None)
    looked_at = dict(examine(["open files", "debug"]))
    assert looked_at["open files"].level == "wrong"
    assert looked_at["debug"].level == "ok"


def test_a_kernel_that_has_other_values_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(host, "PROC", tmp_path)
    file = tmp_path / "net" / "core" / "somaxconn"
    file.parent.mkdir(parents=True)
    file.write_text("65536\n")
    assert level("kernel") == "ok"
    file.write_text("128\n")
    assert found("kernel")[0].text == "net.core.somaxconn is 128, not 16384"


def test_a_process_that_may_open_few_files_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda which: (1024, 4096))
    assert level("open files") == "warning"


@pytest.mark.parametrize("weak", ["short", "a" * 60, "test-only-" * 5])
def test_a_secret_that_can_be_guessed_is_wrong(settings: Settings, weak: str) -> None:
    settings.SECRET_KEY = "kX3v9Qz7Lm2Rw8Tn5Yb1Hc6Jd4Fs0Gp_qWeRtYuIoPaSdFgHjKl"
    settings.CREDENTIAL_KEYS = settings.BACKUP_KEYS = ["k1:dGhlIGtleSBvZiBhIHJlYWwgc3RvcmUsIDMyIGJ5dGU="]
    assert level("secrets") == "ok"
    settings.SECRET_KEY = weak
    assert level("secrets") == "wrong"


def test_a_missing_index_is_named() -> None:
    assert level("indexes") == "ok"
    name, table = "outboxmail_pending", "accountsstore_outboxmail"
    from accountsstore.models import OutboxMail

    index = next(each for each in OutboxMail._meta.indexes if each.name == name)
    with connection.schema_editor() as editor:
        editor.remove_index(OutboxMail, index)
    try:
        assert f"{table}.{name}" in found("indexes")[0].text
    finally:
        with connection.schema_editor() as editor:
            editor.add_index(OutboxMail, index)
    assert level("indexes") == "ok"


def test_a_clock_that_stands_still_is_wrong() -> None:
    assert level("clock") == "wrong"
    clock.tick()
    assert level("clock") == "ok"
    ClockPart.objects.update(due_at=timezone.now() - datetime.timedelta(minutes=5))
    assert level("clock") == "wrong"


def test_the_age_of_backups_is_looked_at(folder: Path) -> None:  # noqa: F811
    assert found("backups")[0].text == "there is none"
    take.take(timezone.now() - datetime.timedelta(days=4))
    if connection.vendor != "mongodb":
        assert level("backups") == "wrong"
    take.take()
    assert level("backups") == "ok"
    vault.delete(f"backups/{moment}/manifest" for moment in vault.moments())
    assert level("backups") == "wrong"


def test_a_queue_that_evicts_is_wrong() -> None:
    with queue_client() as queue:
        before = queue.config_get("maxmemory-policy")["maxmemory-policy"]
        try:
            queue.config_set("maxmemory-policy", "allkeys-lru")
            assert level("queue") == "wrong"
            queue.config_set("maxmemory-policy", "noeviction")
            assert level("queue") != "wrong"
        finally:
            queue.config_set("maxmemory-policy", before)


def test_the_cluster_and_its_eviction_can_be_looked_at() -> None:
    assert client().ping()
    assert level("cluster") == "ok"
    assert level("eviction") in ("ok", "warning")


def test_the_servers_and_the_books_are_looked_at() -> None:
    assert level("servers") == "ok"
    assert level("migrations") == "ok"
    assert "Invariants 1 to 7 hold" in found("books")[0].text


@pytest.mark.skipif(connection.vendor != "mongodb", reason="speaks of MongoDB")
def test_the_replica_set_is_looked_at() -> None:
    assert found("replica set") == [Finding("ok", "3 members are well")]
    assert level("oplog") == "ok"
    assert level("MongoDB's clock") == "ok"


def test_a_bucket_that_loses_or_keeps_everything_is_told(bucket: Any) -> None:  # noqa: F811
    assert "keeps no old versions" in found("buckets")[0].text
    client = bucket.meta.client
    client.put_bucket_versioning(Bucket=bucket.name, VersioningConfiguration={"Status": "Enabled"})
    try:
        assert "for ever" in found("buckets")[0].text
        rule = {"ID": "old", "Status": "Enabled", "Filter": {"Prefix": ""}}
        rule["NoncurrentVersionExpiration"] = {"NoncurrentDays": 30}  # type: ignore[assignment]
        client.put_bucket_lifecycle_configuration(Bucket=bucket.name, LifecycleConfiguration={"Rules": [rule]})
        assert level("buckets") == "ok"
    finally:
        client.put_bucket_versioning(Bucket=bucket.name, VersioningConfiguration={"Status": "Suspended"})
        client.delete_bucket_lifecycle(Bucket=bucket.name)


def test_a_store_without_buckets_has_none_to_look_at(settings: Settings) -> None:
    settings.S3_BUCKET = settings.BACKUP_S3_BUCKET = ""
    assert found("buckets") == []


# ------------------------------------------------------------ certificates


@pytest.fixture
def served(settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[int], None]]:
    """`served(days)`: STORE_URL leads to a server whose certificate ends in so many days, and is trusted."""
    stop = threading.Event()
    threads: list[threading.Thread] = []

    def serve(days: int, oldest: ssl.TLSVersion = ssl.TLSVersion.TLSv1_2) -> None:
        file = loopback_certificate(tmp_path, days)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(file)
        context.set_ciphers("ALL:@SECLEVEL=0")
        context.minimum_version = oldest
        listening = socket.create_server(("127.0.0.1", 0))
        listening.settimeout(0.1)
        settings.STORE_URL = f"https://127.0.0.1:{listening.getsockname()[1]}"
        monkeypatch.setenv("SSL_CERT_FILE", str(file))

        def answer() -> None:
            with closing(listening):
                while not stop.is_set():
                    try:
                        plain, _address = listening.accept()
                    except TimeoutError:
                        continue
                    plain.settimeout(5)
                    try:
                        context.wrap_socket(plain, server_side=True).close()
                    except OSError:
                        plain.close()

        threads.append(threading.Thread(target=answer))
        threads[-1].start()

    yield serve
    stop.set()
    for thread in threads:
        thread.join()


def loopback_certificate(tmp_path: Path, days: int) -> Path:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "store")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=90))
        .not_valid_after(now + datetime.timedelta(days=days, hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    file = tmp_path / f"{days}.pem"
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    file.write_bytes(secret + certificate.public_bytes(serialization.Encoding.PEM))
    return file


@pytest.mark.parametrize(("days", "expected"), [(60, "ok"), (14, "warning"), (3, "wrong"), (-2, "wrong")])
def test_a_certificate_that_ends_soon_is_told(served: Callable[..., None], days: int, expected: str) -> None:
    served(days)
    assert level("certificate") == expected


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion.TLSv1:DeprecationWarning")
def test_old_tls_is_wrong(served: Callable[..., None]) -> None:
    served(60)
    assert found("TLS versions") == [Finding("ok", "nothing below TLS 1.2")]
    served(60, ssl.TLSVersion.TLSv1)
    assert level("TLS versions") == "wrong"
