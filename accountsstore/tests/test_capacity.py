"""`manage.py capacity`: the plan is monotonous and keeps to its target, and what cannot be used is said in a sentence."""

import dataclasses
import json
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.core.management import CommandError, call_command
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from accountsstore.capacity import measurement
from accountsstore.capacity.errors import CapacityError
from accountsstore.capacity.measure import apart
from accountsstore.capacity.meters import Meters, redis_speed
from accountsstore.capacity.plan import FEWEST, Plan, plan
from accountsstore.capacity.prices import prices_read
from accountsstore.capacity.probes import set_up
from accountsstore.capacity.workload import Workload
from accountsstore.management.commands.capacity import PRICES
from accountsstore.redis import execute

PRICED = prices_read(PRICES)
MEASURED = measurement.Measurement(
    taken_at="2026-11-28T10:00+00:00",
    host="2 cores",
    cores=2,
    database="mongodb",
    cpu_us={
        "page": {"nginx": 300, "pages": 5_000, "mongo": 1_500, "redis": 40},
        "message": {"nginx": 60, "sockets": 2_500, "mongo": 1_500, "redis": 60, "worker": 500},
        "event": {"nginx": 20, "sockets": 60, "redis": 10},
        "ping": {"nginx": 40, "sockets": 80},
        "connect": {"nginx": 1_500, "sockets": 1_000, "mongo": 500, "redis": 50},
        "order": {"nginx": 300, "pages": 15_000, "mongo": 8_000, "redis": 100, "worker": 20_000},
    },
    redis_commands={"page": 3, "message": 4},
    bytes_out={"page": 12_000, "message": 900, "event": 250, "ping": 100, "connect": 6_000},
    socket_kb=30,
    process_mb={"pages": 150, "sockets": 120},
)
LOAD = {
    "users": 400, "sockets": 380, "seconds": 60.0, "cores": 2, "busy_cores": 1.4, "began": 1,
    "requests_per_second": 20.0, "messages_per_second": 5.0, "p50_ms": 30.0, "p95_ms": 90.0,
    "cpu_seconds": {"nginx": 1.0, "pages": 12.0, "sockets": 6.0, "mongo": 9.0, "redis": 2.0, "worker": 3.0, "generator": 9.0},
    "rss_bytes": {"pages": 300_000_000, "sockets": 150_000_000},
}  # fmt: skip
rates = st.floats(0, 100, allow_nan=False)
workloads = st.builds(Workload, st.integers(1, 3_000_000), rates, rates, rates, rates, st.floats(0, 1), st.floats(0, 1))
targets = st.floats(0.05, 1)
# A busy machine is slow, and nothing here is about time.
UNTIMED = hypothesis_settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])


def planned(workload: Workload, target: float = 0.6) -> Plan:
    return plan(workload, MEASURED, PRICED, target)


@UNTIMED
@given(workloads, st.integers(0, 3_000_000), targets)
def test_more_users_never_need_fewer_machines_nor_less_money(workload: Workload, more: int, target: float) -> None:
    few, many = (planned(one, target) for one in (workload, dataclasses.replace(workload, users=workload.users + more)))
    assert all(many.roles[role].machines >= few.roles[role].machines for role in few.roles)
    assert many.month >= few.month


@UNTIMED
@given(workloads, targets)
def test_no_machine_is_busier_than_the_target_nor_fuller_than_a_limit(workload: Workload, target: float) -> None:
    for role, one in planned(workload, target).roles.items():
        assert one.utilisation <= target + 1e-6
        assert all(limit.machines <= one.carrying + 1e-6 for limit in one.limits), role
        assert one.carrying >= FEWEST[role]


@UNTIMED
@given(workloads, targets)
def test_one_machine_less_of_a_role_would_break_a_limit_or_not_survive_a_loss(
    workload: Workload, target: float
) -> None:
    for role, one in planned(workload, target).roles.items():
        assert one.carrying == FEWEST[role] or one.binding.machines > one.carrying - 1


@UNTIMED
@given(workloads)
def test_the_first_limit_is_met_at_the_number_of_users_that_is_said(workload: Workload) -> None:
    before = planned(workload)
    after = planned(dataclasses.replace(workload, users=max(1, before.more_people)))
    role, _limit = before.first_limit
    assert before.more_people >= workload.users - 1
    assert after.roles[role].carrying <= before.roles[role].carrying


def test_memory_is_met_first_where_sockets_are_heavy() -> None:
    heavy = dataclasses.replace(MEASURED, socket_kb=2_000)
    assert plan(Workload(200_000), heavy, PRICED, 0.6).roles["app"].binding.name == "memory"


def test_file_handles_are_met_first_where_everybody_is_silent() -> None:
    silent = Workload(2_000_000, *[0.0] * 6)
    light = dataclasses.replace(MEASURED, socket_kb=0.1)
    assert plan(silent, light, PRICED, 0.6).roles["app"].binding.name == "file handles of a socket process"


def saved(folder: Path, measured: measurement.Measurement = MEASURED) -> Path:
    file = folder / "measured.json"
    file.write_text(measured.to_json())
    return file


def capacity(*arguments: Any) -> str:
    out = StringIO()
    call_command("capacity", *map(str, arguments), stdout=out)
    return out.getvalue()


def test_it_prints_machines_limit_and_money_beside_the_source_design(tmp_path: Path) -> None:
    text = capacity("--users", 200_000, "--measurements", saved(tmp_path))
    for words in (
        "Machines for 200,000 users at 60% CPU",
        "MongoDB",
        "First limit met:",
        "80 vCPU",
        "7,380",
        "Assumed",
    ):
        assert words in text


def test_a_figure_of_sqlite_is_called_one(tmp_path: Path) -> None:
    file = saved(tmp_path, dataclasses.replace(MEASURED, database="sqlite"))
    assert "The database's figures are SQLite's" in capacity("--measurements", file)


def test_json_says_the_same_and_what_the_caller_chose_is_no_assumption(tmp_path: Path) -> None:
    file = saved(tmp_path)
    data = json.loads(
        capacity("--measurements", file, "--json", "--messages-per-minute", 2, "--save", tmp_path / "again.json")
    )
    assert data["per_second"]["message"] == pytest.approx(200_000 * 2 / 60)
    assert "messages_per_minute" not in data["assumed"]
    assert "pages_per_minute" in data["assumed"]
    assert measurement.read(tmp_path / "again.json") == MEASURED


def test_the_report_of_a_load_test_is_a_measurement_too(tmp_path: Path) -> None:
    file = tmp_path / "report.json"
    file.write_text(json.dumps(LOAD))
    measured = measurement.read(file)
    # At the rates that the load test had, everybody is as busy as they were in it.
    rates = {"page": 20.0, "message": 5.0}
    assert measured.cores_of("pages", rates) == pytest.approx(12 / 60)
    assert measured.cores_of("sockets", rates) == pytest.approx(6 / 60)
    assert "make load" in capacity("--measurements", file)


def refusal(*arguments: Any) -> str:
    with pytest.raises(CommandError) as caught:
        capacity(*arguments)
    text = str(caught.value)
    assert "\n" not in text
    return text


@pytest.mark.parametrize(
    ("option", "value", "words"),
    [
        ("--messages-per-minute", "-1", "a rate is a number from 0 on"),
        ("--pages-per-minute", "nan", "a rate is a number from 0 on"),
        ("--orders-per-minute", "inf", "a rate is a number from 0 on"),
        ("--users", "0", "--users is 0"),
        ("--target", "0", "a percentage from 1 to 100"),
        ("--target", "nan", "a percentage from 1 to 100"),
        ("--prices", "/nowhere.toml", "cannot be read"),
        ("--measurements", "/nowhere.json", "cannot be read"),
        ("--check", "/nowhere.json", "cannot be read"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_measured(option: str, value: str, words: str) -> None:
    assert words in refusal(f"{option}={value}")


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("month = 600", "month = -600", "month in [machines.mongo]"),
        ("vcpus = 8", "vcpus = 0", "a machine has more"),
        ("[machines.redis]", "[machines.rodis]", "has no [machines.redis]"),
        ("date = 2025-10-20", 'date = "soon"', "needs a date"),
        ("note = ", "notes = ", "needs note"),
        ("average_of_peak = 0.3", "average_of_peak = 3", "it is a share"),
        ("per_tb_out = 90", 'per_tb_out = "free"', "must be a number"),
        ("[traffic]", "[traffic", "is not TOML"),
    ],
)
def test_a_bad_price_file_is_refused_with_what_is_wrong(tmp_path: Path, old: str, new: str, words: str) -> None:
    file = tmp_path / "prices.toml"
    file.write_text(PRICES.read_text().replace(old, new, 1))
    assert words in refusal("--prices", file, "--measurements", saved(tmp_path))


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"cpu_seconds": {}}', '{"cpu_seconds": 3, "seconds": 0}', "\x00"])
def test_a_file_that_is_no_measurement_is_refused(tmp_path: Path, text: str) -> None:
    file = tmp_path / "measured.json"
    file.write_text(text)
    assert str(file) in refusal("--measurements", file) or "make load" in refusal("--measurements", file)


@pytest.mark.parametrize("change", [{"socket_kb": -1}, {"socket_kb": float("nan")}, {"cpu_us": {}}, {"cores": "two"}])
def test_a_measurement_with_an_impossible_figure_is_refused(tmp_path: Path, change: dict[str, Any]) -> None:
    assert "is no measurement" in refusal("--measurements", saved(tmp_path, dataclasses.replace(MEASURED, **change)))


def test_what_is_measured_stands_beside_the_stores_data(tmp_path: Path) -> None:
    env = apart(tmp_path, "mongodb://u:p%40@a:1,b:2/accountsstore?replicaSet=rs0", "store")
    assert (
        env["DATABASE_URL"]
        == "mongodb://u:p%40@a:1,b:2/accountsstore_capacity?replicaSet=rs0&authSource=accountsstore&minPoolSize=0"
    )
    assert env["REDIS_PREFIX"] == "store_capacity"
    assert env["S3_BUCKET"] == env["EMAIL_URL"] == ""
    assert (
        apart(tmp_path, "sqlite:////srv/store.sqlite3", "store")["DATABASE_URL"]
        == f"sqlite:///{tmp_path}/store.sqlite3"
    )
    for name in ("VAR_DIR", "MEDIA_ROOT", "METRICS_DIR", "BACKUP_FOLDER"):
        assert Path(env[name]).is_relative_to(tmp_path)


def test_an_address_without_a_database_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CapacityError, match="names no database"):
        apart(tmp_path, "mongodb://a:1/?replicaSet=rs0", "store")


def test_the_probes_do_not_run_on_the_stores_own_data() -> None:
    assert not settings.REDIS_PREFIX.endswith("_capacity")
    with pytest.raises(SystemExit, match=r"manage\.py capacity"):
        set_up()


@pytest.mark.django_db(transaction=True)
def test_hot_pages_messages_and_orders_are_measured_on_the_real_paths() -> None:
    from accountsstore.capacity import probes_of_pages
    from locustfiles.chaos import seed

    codes = seed.seed(buyers=1, sellers=1, pieces=20)
    meters = Meters()
    found = probes_of_pages.pages(meters, codes, rounds=2)
    assert set(found.routes_us) == set(probes_of_pages.WEIGHTS)
    assert min(found.own_us, found.database_us, found.redis_commands, found.bytes_out) > 0
    order = probes_of_pages.orders(meters, codes[0], 2)
    talk = probes_of_pages.messages(meters, 2)
    assert min(order.own_us, order.worker_us, order.database_us, talk.own_us, talk.database_us) > 0


@pytest.mark.django_db
def test_the_servers_are_asked_what_they_spent() -> None:
    meters = Meters()
    with meters.counting(100) as cost:
        for number in range(100):
            execute("SET", f"capacity-test:{number}", "x", "EX", 5)
    assert 0.9 < cost.redis_commands < 5
    assert redis_speed() > 1_000
