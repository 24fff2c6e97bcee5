"""`make rehearse-fleet`: what it says of a run in which something went wrong. The run itself needs minutes."""

import json
from pathlib import Path

import pytest

from accountsstore.fleet.inventory import Inventory
from locustfiles.fleet import served
from locustfiles.fleet.proof import compare_steps, unheard
from locustfiles.fleet.served import Served
from locustfiles.release.hosts import two_hosts
from payments.models import Order, OrderEvent

TALK, NOON = "a" * 32, 1_800_000_000


def message(deed: str, user: str, body: str = "Hello") -> dict[str, object]:
    return {"deed": deed, "user": user, "conversation": TALK, "seq": 1, "body": body}


@pytest.fixture
def inventory(tmp_path: Path) -> Inventory:
    return two_hosts(tmp_path)


def line(inventory: Inventory, *hosts: str, status: int = 200, seconds: float = 0.5) -> str:
    addresses = {host.name: f"{host.address}:8001" for host in inventory.hosts}
    upstream = ", ".join(addresses[host] for host in hosts)
    time = "2027-01-15T08:00:00+00:00"  # NOON
    return json.dumps({"time": time, "ip": "127.0.2.1", "status": status, "seconds": seconds, "upstream": upstream})


def test_a_message_that_only_its_author_saw_is_lost() -> None:
    told = [message("say", "nadia"), message("hear", "nadia")]

    assert unheard(told).lost == ["Hello"]
    assert unheard([*told, message("hear", "omar")]).is_well


def test_a_message_that_came_to_the_other_twice_is_doubled() -> None:
    told = [message("say", "nadia"), message("hear", "omar"), message("hear", "omar")]

    assert unheard(told).doubled == ["Hello"]


def test_a_note_of_the_store_comes_to_both_and_is_not_doubled() -> None:
    assert unheard([message("hear", "nadia"), message("hear", "omar")]).is_well


@pytest.mark.django_db
def test_a_step_that_the_timeline_does_not_have_is_lost_and_one_that_it_has_twice_is_doubled(order: Order) -> None:
    told = [{"deed": "buy", "number": order.number}]
    told += [{"deed": "step", "number": order.number, "happening": name} for name in ("fund", "deliver")]
    OrderEvent.objects.create(order=order, happening="fund", to_state=order.state)

    found = compare_steps(told)

    assert (found.lost, found.doubled) == ([f"{order.number} deliver"], [f"{order.number} fund"])


def test_a_request_that_nginx_passed_on_counts_for_the_host_that_answered(inventory: Inventory, tmp_path: Path) -> None:
    log = tmp_path / "access.log"
    lines = [line(inventory, "app-1", "app-2"), line(inventory, "app-1", status=502), line(inventory)]
    log.write_text("\n".join(lines))

    counted = served.requests(served.read([log], inventory), ["127.0.2.1"], NOON, NOON + 1)

    assert counted == {"app-2": 1}


def test_nobody_is_on_two_hosts_while_they_change_from_one_to_the_other() -> None:
    held = [
        Served("127.0.2.1", "app-1", NOON, NOON + 60, is_socket=True),
        Served("127.0.2.1", "app-2", NOON + 60, NOON + 120, is_socket=True),
    ]

    assert [served.socket_host(held, "127.0.2.1", NOON + at) for at in (30, 60, 90)] == ["app-1", "", "app-2"]
