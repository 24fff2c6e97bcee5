"""`/metrics` of real processes: one answer for the host, to those inside, whatever dies or is asked."""

import os
import secrets
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.conf import settings

from accountsstore.management.commands.render_docs import COUNTED
from accountsstore.metrics.catalogue import ADVICE
from accountsstore.metrics.page import SPOKEN_FOR
from accountsstore.metrics.scrape import scraped
from accountsstore.tests.metrics_page import Samples, metrics_of, serving, sharing
from accountsstore.tests.own_valkey import Valkey, valkey  # noqa: F401  (a fixture)
from accountsstore.tests.programs import WORKER, ask, celery, eventually, free_port, program

pytestmark = [pytest.mark.slow, pytest.mark.django_db(transaction=True)]

HELP = {"method": "GET", "route": "/help/", "status_code": "200"}
COUNT = "http_request_duration_ms_count"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("metrics")


@pytest.fixture(scope="module")
def site(folder: Path, django_db_setup: None) -> Iterator[int]:
    """The port of a site that stays."""
    with serving(folder) as (port, _):
        yield port


def help_page(port: int, times: int = 1, **headers: str) -> None:
    for _ in range(times):
        assert ask(port, "GET", "/help/", headers).status == 200


def test_two_sites_are_added_up_and_one_that_is_killed_leaves_its_counts_and_takes_its_gauges(
    folder: Path, site: int
) -> None:
    before = metrics_of(site)(COUNT, **HELP)
    with serving(folder) as (other, pid):
        help_page(site, 3)
        help_page(other, 2)
        both = metrics_of(site)
        assert metrics_of(other)(COUNT, **HELP) == both(COUNT, **HELP) == before + 5
        assert both("store_processes", program="site") == 2
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        # At once, and again: what the dead one left is added once.
        for _ in range(3):
            one = metrics_of(site)
            assert one(COUNT, **HELP) == before + 5
            assert one("store_processes", program="site") == 1
            assert 0 < one("store_memory_bytes", program="site") < both("store_memory_bytes", program="site")
    with serving(folder) as (next_one, _):
        help_page(next_one)
        assert metrics_of(site)(COUNT, **HELP) == before + 6


def test_the_pages_and_the_workers_of_a_host_tell_each_others_counts(folder: Path, site: int) -> None:
    pages = free_port()
    env = sharing(folder)
    gunicorn = ["-m", "gunicorn", "--workers", "2", "--bind", f"127.0.0.1:{pages}", "accountsstore.wsgi"]
    with (
        program(folder / "gunicorn.log", *gunicorn, env=env),
        celery(folder / "worker.log", *WORKER, env=env),
    ):
        eventually(
            lambda: metrics_of(site)("store_processes", program="pages") == 2, "no pages", folder / "gunicorn.log"
        )
        before = metrics_of(site)(COUNT, **HELP)
        help_page(pages, 4)
        help_page(site, 1)
        assert metrics_of(pages)(COUNT, **HELP) == metrics_of(site)(COUNT, **HELP) == before + 5
        done = {"task": "accountsstore.tasks.clock_tick", "state": "success"}
        from accountsstore.tasks import clock_tick

        clock_tick.delay()
        eventually(
            lambda: metrics_of(pages)("celery_task_duration_ms_count", **done) == 1, "no job", folder / "worker.log"
        )
        assert metrics_of(site)("store_processes", program="worker") == 1
    assert metrics_of(site)("celery_task_duration_ms_count", **done) == 1


def test_made_up_addresses_and_methods_are_one_route_and_add_no_series(site: int) -> None:
    def flood() -> None:
        for _ in range(50):
            ask(site, "GET", f"/{secrets.token_hex(8)}/", {})
            ask(site, "GET", f"/admin/{secrets.token_hex(8)}/", {})
            ask(site, secrets.token_hex(4).upper(), "/help/", {})

    flood()
    before = metrics_of(site)
    flood()
    after = metrics_of(site)
    # What the clock has done meanwhile is nobody's doing here.
    of_requests = [{key for key in page if key[0].startswith("http_")} for page in (before, after)]
    assert of_requests[0] == of_requests[1] != set()
    assert after(COUNT, method="GET", route="none", status_code="404") >= 100
    assert after.total(COUNT, method="other", route="/help/") >= 100


def test_nothing_that_somebody_sent_is_on_the_page(site: int) -> None:
    secret = secrets.token_hex(12)
    help_page(site, Cookie=f"sessionid={secret}", Authorization=f"Bearer {secret}", **{"User-Agent": secret})
    ask(site, "GET", f"/help/?token={secret}", {})
    ask(site, "GET", f"/orders/{secret}/", {})
    ask(site, "GET", f"/files/{secret}", {"Host": f"{secret}.example"})
    text = ask(site, "GET", "/metrics", {}).text
    assert secret not in text
    assert settings.SECRET_KEY not in text


@pytest.mark.parametrize("header", SPOKEN_FOR)
@pytest.mark.parametrize("said", ["127.0.0.1", "", "203.0.113.7"])
def test_who_comes_through_a_proxy_finds_no_page(site: int, header: str, said: str) -> None:
    name = header.removeprefix("HTTP_").replace("_", "-").title()
    assert ask(site, "GET", "/metrics", {}).status == 200
    answer = ask(site, "GET", "/metrics", {name: said})
    assert (answer.status, "store_processes" in answer.text) == (404, False)


def test_a_forged_header_lets_nobody_in_from_outside_the_networks(folder: Path) -> None:
    with serving(folder, METRICS_ALLOWED_NETWORKS="10.0.0.0/8", BEHIND_PROXY="true") as (port, _):
        for headers in ({}, {"X-Forwarded-For": "10.0.0.1"}, {"X-Real-IP": "10.0.0.1"}, {"Host": "10.0.0.1"}):
            answer = ask(port, "GET", "/metrics", headers)
            assert "store_processes" not in answer.text
            # A host that is not ours is refused before any page is looked for.
            assert answer.status == (400 if "Host" in headers else 404)


def test_a_prometheus_that_names_no_host_of_the_store_is_answered(site: int) -> None:
    assert ask(site, "GET", "/metrics", {"Host": "10.0.0.7:8001"}).status == 200


@pytest.mark.parametrize("how", ["kill", "freeze"])
def test_without_redis_the_page_tells_the_rest_and_that_redis_is_away(
    tmp_path: Path,
    valkey: Valkey,  # noqa: F811
    how: str,
) -> None:
    with serving(tmp_path, REDIS_URL=valkey.url) as (port, _):
        help_page(port)
        well = metrics_of(port)
        assert well("server_up", server="redis") == 1
        assert well("server_round_trip_ms", server="redis") > 0
        getattr(valkey, how)()
        eventually(lambda: metrics_of(port)("server_up", server="redis") == 0, "Redis is gone and is told to be there")
        ill = metrics_of(port)
        assert ill("metrics_part_up", part="server redis") == ill("server_round_trip_ms", server="redis") == 0
        assert ill("server_up", server="database") == ill("metrics_part_up", part="outbox") == 1
        assert ill(COUNT, **HELP) >= 1
        if how == "freeze":
            valkey.thaw()
            eventually(
                lambda: metrics_of(port)("server_up", server="redis") == 1, "Redis is back and is told to be gone"
            )


def test_every_metric_that_is_told_is_explained_and_every_explained_one_exists(site: int) -> None:
    exist = {metric.describe()[0].name for metric in COUNTED} | scraped.keys()
    assert set(ADVICE) == exist
    told = {name.removesuffix("_total") for name, _ in metrics_of(site)}
    bare = {name.removesuffix("_bucket").removesuffix("_count").removesuffix("_sum") for name in told}
    assert bare <= exist
    # What is read is there from the first answer on, the rest once it has happened, or where there are replicas.
    later = {"clock_late_seconds", "command_faults", "command_last_run_seconds", "replica_lag_seconds"}
    assert scraped.keys() - bare <= later


def test_a_metric_is_told_once(site: int) -> None:
    lines = [line for line in ask(site, "GET", "/metrics", {}).text.splitlines() if line.startswith("# TYPE")]
    assert len(lines) == len(set(lines))
    assert Samples(ask(site, "GET", "/metrics", {}).text)
