"""nginx in front of a real store: encryption, headers, limits, and who is let in where."""

import json
import re
import socket
import ssl
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings

from accountsstore.fleet.inventory import Inventory
from accountsstore.fleet.local_edge import EdgeError, local_edge, local_settings
from accountsstore.fleet.rendering import Edge, nginx_conf
from accountsstore.tests.edge.client import NAME, STATUS_200, STATUS_404, Client, http2_statuses, old_tls
from accountsstore.tests.edge.conftest import Store
from accountsstore.tests.programs import ask, eventually

SECURITY_HEADERS = (
    "Strict-Transport-Security", "X-Content-Type-Options", "X-Frame-Options", "Referrer-Policy",
    "Content-Security-Policy",
)  # fmt: skip


def test_the_limits_of_production_leave_room_for_what_the_store_does(inventory: Inventory) -> None:
    production = Edge()
    assert production.silence_seconds > settings.SOCKET_PING_SECONDS + settings.SOCKET_PONG_SECONDS
    assert production.header_seconds >= 5
    text = nginx_conf(inventory, production)
    assert "client_header_timeout 10s;" in text
    assert "proxy_read_timeout 75s;" in text
    # Rates are what no test can wait for.
    for rate in (
        "zone=api_rate:10m rate=100r/s;",
        "zone=sign_in_rate:10m rate=10r/m;",
        "zone=api_rate burst=50 nodelay;",
    ):
        assert rate in text


# ------------------------------------------------------------ encryption


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_tls_of_today_is_spoken(store: Store, version: ssl.TLSVersion) -> None:
    raw = socket.create_connection(("127.0.0.1", store.inventory.ports["https"]))
    with old_tls(version).wrap_socket(raw, server_hostname=NAME) as connection:
        assert connection.version() == version.name.replace("_", ".")


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
def test_tls_of_yesterday_is_refused(store: Store) -> None:
    raw = socket.create_connection(("127.0.0.1", store.inventory.ports["https"]))
    with raw, pytest.raises(ssl.SSLError, match="PROTOCOL_VERSION"):
        old_tls(ssl.TLSVersion.TLSv1_1).wrap_socket(raw, server_hostname=NAME)


def test_a_name_that_is_not_ours_is_shown_no_certificate(store: Store) -> None:
    raw = socket.create_connection(("127.0.0.1", store.inventory.ports["https"]))
    with raw, pytest.raises(ssl.SSLError, match="UNRECOGNIZED_NAME"):
        old_tls(ssl.TLSVersion.TLSv1_3).wrap_socket(raw, server_hostname="other.example")


def test_pages_come_over_http_2(store: Store) -> None:
    assert http2_statuses(store.client(), b"/api/health/live", 1) == [STATUS_200]


def test_who_comes_unencrypted_is_sent_to_the_same_page_encrypted(store: Store) -> None:
    answer = store.client().ask("/browse/?q=gold", port="http")
    assert answer.status == 301
    assert answer.headers["Location"] == f"https://{NAME}:{store.inventory.ports['https']}/browse/?q=gold"


# ------------------------------------------------------------ headers


@pytest.mark.parametrize("path", ["/help/", "/static/build/app.css", "/api/health/live", "/nothing-here/"])
def test_each_security_header_comes_once(store: Store, path: str) -> None:
    answer = store.client().ask(path)
    for name in SECURITY_HEADERS[:4]:
        assert len(answer.headers.get_all(name, [])) == 1, (name, answer.headers.items())
    assert answer.headers["Strict-Transport-Security"] == "max-age=31536000; includeSubDomains"
    assert answer.headers["X-Frame-Options"] == "DENY"
    assert answer.headers["Server"] == "nginx"


def test_what_nginx_says_itself_has_the_headers_too(store: Store) -> None:
    answer = store.client().ask("/help/", method="POST", body=b"x", Content_Length=str(11 * 1024 * 1024))
    assert answer.status == 413
    for name in SECURITY_HEADERS:
        assert len(answer.headers.get_all(name, [])) == 1, (name, answer.headers.items())


def test_a_page_is_compressed_and_a_static_file_comes_compressed_and_stays(store: Store) -> None:
    client = store.client()
    page = client.ask("/help/", Accept_Encoding="gzip")
    assert page.headers["Content-Encoding"] == "gzip"
    plain = client.ask("/help/")
    assert len(page.data) < len(plain.data) / 2
    [css] = set(re.findall(r'href="(/static/build/app\.[0-9a-f]+\.css)"', plain.text))
    for encoding in ("br", "gzip"):
        # "gzip, deflate, br", as browsers say it, and a second time out of the cache.
        for wish in (encoding, f"deflate, {encoding}"):
            answer = client.ask(css, Accept_Encoding=wish)
            assert (answer.status, answer.headers["Content-Encoding"]) == (200, encoding)
            assert "immutable" in answer.headers["Cache-Control"]
            assert "Accept-Encoding" in answer.headers["Vary"]
            assert len(answer.headers.get_all("X-Content-Type-Options")) == 1


# ------------------------------------------------------------ who asks


def test_what_a_client_says_of_its_address_is_not_believed(store: Store) -> None:
    """The store limits tries to sign in by address: with an address of one's own choice there is no limit."""
    liar = store.client()
    told = {"X_Forwarded_For": "10.9.9.9, 10.8.8.8", "Forwarded": "for=10.9.9.9", "X_Real_IP": "10.9.9.9"}
    liar.ask("/help/?liar", **told)
    eventually(lambda: store.requests("/help/?liar"), "gunicorn writes no log")
    # What the store records and counts by, and all that it was told.
    assert store.requests("/help/?liar") == [[liar.address, liar.address, "-", "-"]]


def test_metrics_are_for_those_inside(store: Store) -> None:
    """Who asks the host itself."""
    assert store.inside.ask("/metrics").status == 404
    assert store.client().ask("/metrics", X_Forwarded_For="127.0.0.1").status == 404
    direct = ask(store.inventory.ports["pages"], "GET", "/metrics", {"Host": NAME})
    assert direct.status == 200
    assert "http_request_duration_ms_bucket" in direct.text
    assert (store.inside.ask("/nginx-status").status, store.client().ask("/nginx-status").status) == (200, 404)


# ------------------------------------------------------------ floods


def statuses(client: Client, count: int, path: str, **more: Any) -> list[int]:
    return [client.ask(path, **more).status for _ in range(count)]


def test_a_flood_of_the_api_is_answered_429_while_others_are_served(store: Store) -> None:
    flooder, other = store.client(), store.client()
    found = http2_statuses(flooder, b"/api/nothing", 120)
    # Fifty more than the rate allows. What is refused is answered by nginx: the store has seen no more than the rest.
    passed = found.count(STATUS_404)
    assert 51 <= passed <= 100
    assert other.ask("/api/nothing").status == 404
    eventually(lambda: len(store.requests("/api/nothing")) > passed, "gunicorn writes no log")
    assert [one[0] for one in store.requests("/api/nothing")].count(flooder.address) == passed


@pytest.mark.parametrize("path", ["/account/login/", "/api/v1/auth/login"])
def test_the_seventh_try_to_sign_in_is_refused_while_others_may_try(store: Store, path: str) -> None:
    client = store.client()
    # Looks at the form are no tries.
    assert 429 not in statuses(client, 10, path)
    tries = statuses(client, 7, path, method="POST", body=b"login=x", Content_Type="application/x-www-form-urlencoded")
    assert 429 not in tries[:6]
    refused = client.ask(path, method="POST", body=b"login=x")
    assert (tries[6], refused.status, refused.headers["Retry-After"]) == (429, 429, "60")
    assert store.client().ask(path, method="POST", body=b"login=x").status != 429


def test_who_is_told_to_slow_down_reads_why(store: Store) -> None:
    client = store.client()
    for _ in range(6):
        client.ask("/account/login/", method="POST", body=b"x")
        client.ask("/api/v1/auth/login", method="POST", body=b"x")
    page = client.ask("/account/login/", method="POST", body=b"x")
    assert "Too many requests at once" in page.text
    assert 'dir="rtl"' in page.text
    answer = client.ask("/api/v1/auth/login", method="POST", body=b"x")
    assert (answer.status, answer.headers.get_content_type()) == (429, "application/json")
    assert json.loads(answer.text)["code"] == "slow_down"


# ------------------------------------------------------------ what is too large


def test_a_body_over_10_mb_is_refused_and_a_photo_of_10_mb_reaches_the_store(store: Store) -> None:
    client = store.client()
    large = str(10 * 1024 * 1024 + 1)
    for path in ("/help/", "/api/v1/orders"):
        assert client.ask(path, method="POST", body=b"x", Content_Length=large).status == 413
    photo = b"x" * (10 * 1024 * 1024 + 500)
    answer = client.ask("/files/avatar/", method="POST", body=photo)
    # The store's own answer: nobody is signed in, and there is no token.
    assert answer.status == 403, answer.text
    assert client.ask("/files/avatar/", method="POST", body=b"x", Content_Length=str(111 * 1024 * 1024)).status == 413


@pytest.mark.parametrize(
    ("path", "headers", "status"),
    [
        ("/help/", {"X_Large": "a" * 9000}, 400),
        ("/help/", {f"X_{n}": "a" * 4000 for n in range(12)}, 400),
        ("/help/?" + "a" * 9000, {}, 414),
        ("/help/?" + "a" * 7000, {"X_Large": "a" * 7000}, 200),
    ],
)
def test_a_head_over_its_limits_is_refused(store: Store, path: str, headers: dict[str, str], status: int) -> None:
    assert store.client().ask(path, **headers).status == status


# ------------------------------------------------------------ maintenance


def test_a_store_that_is_closed_says_so_to_all_but_those_inside(store: Store) -> None:
    client = store.client()
    store.edge.maintenance.touch()
    try:
        page, answer = client.ask("/help/"), client.ask("/api/v1/orders")
        photo = client.ask("/files/avatar/", method="POST", body=b"x" * (10 * 1024 * 1024 + 500))
        assert (page.status, page.headers["Retry-After"]) == (503, "60")
        assert "We are working on the store" in page.text
        assert photo.status == 503, photo.text
        assert json.loads(answer.text)["code"] == "unavailable"
        for path in ("/ws/", "/account/login/", "/sell/listings/", "/files/0/card"):
            assert client.ask(path).status == 503, path
        assert client.ask("/api/health/live").status == 200
        assert store.inside.ask("/help/").status == 200
    finally:
        store.edge.maintenance.unlink()
    assert client.ask("/help/").status == 200


# ------------------------------------------------------------ the configuration


def test_a_configuration_that_nginx_refuses_is_not_taken(store: Store, tmp_path: Path) -> None:
    broken = Edge(**vars(local_settings(tmp_path)) | {"silence_seconds": "long"})
    with pytest.raises(EdgeError, match="proxy_read_timeout"), local_edge(tmp_path, store.inventory, broken):
        pass
    assert not (tmp_path / "nginx.conf").exists()
