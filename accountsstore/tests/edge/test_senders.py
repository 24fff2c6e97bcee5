"""Who sends what nginx counts: an address of IPv4, a whole network of IPv6."""

import http.client
import ipaddress
import random
import re
import subprocess
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from django.conf import settings

from accountsstore.fleet.local_edge import NGINX
from accountsstore.tests.programs import eventually, free_port

# An address comes in a header here: a machine has few of its own.
CONFIG = """
daemon off; worker_processes 1; pid {folder}/pid; error_log {folder}/error.log;
events {{ worker_connections 64; }}
http {{
    access_log off; client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
    set_real_ip_from 127.0.0.1; real_ip_header X-Address; keepalive_requests 100000;
    {senders}
    server {{ listen 127.0.0.1:{port}; return 200 $sender; }}
}}
"""


@pytest.fixture(scope="module")
def sender(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], str]]:
    """What nginx counts for an address, by the part of our configuration that says it."""
    folder, port = tmp_path_factory.mktemp("senders"), free_port()
    found = re.search(
        r"map \$remote_addr \$sender \{.*?\n    \}\n",
        (Path(settings.BASE_DIR) / "deploy/nginx/nginx.conf").read_text(),
        re.S,
    )
    assert found
    (folder / "nginx.conf").write_text(CONFIG.format(folder=folder, senders=found[0], port=port))
    nginx = subprocess.Popen([str(NGINX), "-c", str(folder / "nginx.conf"), "-e", str(folder / "error.log")])
    connection = http.client.HTTPConnection("127.0.0.1", port)

    def ask(address: str) -> str:
        connection.request("GET", "/", headers={"X-Address": address})
        return connection.getresponse().read().decode()

    def answers() -> bool:
        try:
            return bool(ask("192.0.2.1"))
        except OSError:
            connection.close()
            return False

    try:
        eventually(answers, "nginx does not answer", folder / "error.log")
        yield ask
    finally:
        connection.close()
        nginx.terminate()
        nginx.wait()


@pytest.mark.parametrize(
    ("address", "counted"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2:"),
        ("2001:db8:1:2::5", "2001:db8:1:2:"),
        ("2001:db8::5", "2001:db8::"),
        ("2001:db8::", "2001:db8::"),
        ("2001::a:1:2:3:4", "2001::a:"),
        ("::a:b:1:2:3:4", "::a:b:"),
        ("::1", "::"),
    ],
)
def test_one_address_of_ipv4_or_64_bits_of_ipv6_count_as_one(
    sender: Callable[[str], str], address: str, counted: str
) -> None:
    assert sender(address) == counted


def test_no_two_networks_count_as_one_and_none_as_many(sender: Callable[[str], str]) -> None:
    """An address is written without its longest row of zeros, so one network may be written in a few ways."""
    chance = random.Random(7)
    networks: dict[str, set[int]] = defaultdict(set)
    ways: dict[int, set[str]] = defaultdict(set)
    pieces = [0, 0, 0, 1, 0xFFFF]
    for _ in range(3_000):
        number = 0
        for _ in range(8):
            number = number << 16 | chance.choice(pieces)
        address = ipaddress.IPv6Address(number)
        if address.ipv4_mapped or number < 2**32:
            continue  # written with dots
        counted = sender(str(address))
        networks[counted].add(number >> 64)
        ways[number >> 64].add(counted)
    assert max(len(found) for found in networks.values()) == 1
    assert max(len(found) for found in ways.values()) <= 4
