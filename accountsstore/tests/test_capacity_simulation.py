"""The simulation waits as queueing theory says, and plays the same play for the same seed."""

import json
import math
import random
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
import simpy
from django.core.management import call_command
from hypothesis import given, settings
from hypothesis import strategies as st

from accountsstore.capacity import checking, scenario
from accountsstore.capacity.plan import plan
from accountsstore.capacity.simulate import JOBS_PER_SECOND, Kind, Station, Stream, percentile
from accountsstore.capacity.workload import Workload
from accountsstore.tests.test_capacity import LOAD, MEASURED, PRICED, saved

SMALL = Workload(2_000)


def erlang_c_seconds(rate: float, service: float, servers: int) -> float:
    """The mean wait of M/M/c."""
    load = rate * service
    last = load**servers / math.factorial(servers) * servers / (servers - load)
    waits = last / (sum(load**n / math.factorial(n) for n in range(servers)) + last)
    return waits * service / (servers - load)


def pollaczek_khinchine_seconds(rate: float, service: float, variation: float) -> float:
    """The mean wait of M/G/1."""
    use = rate * service
    return use * service * (1 + variation**2) / (2 * (1 - use))


def mean_wait(servers: int, rate: float, service: float, variation: float, seconds: float) -> float:
    env = simpy.Environment()
    stream = Stream(Station(servers), [Kind("job", service, variation)], lambda: {"job": rate}, random.Random(5))
    env.process(stream.run(env))
    env.run(until=seconds)
    stayed = stream.stayed["job"]
    return sum(stayed) / len(stayed) - service


@pytest.mark.parametrize(("servers", "use"), [(1, 0.5), (1, 0.8), (4, 0.6), (8, 0.8)])
def test_equal_servers_wait_as_mmc_does(servers: int, use: float) -> None:
    service = 0.01
    rate = use * servers / service
    seconds = 40_000 / rate
    assert mean_wait(servers, rate, service, 1, seconds) == pytest.approx(
        erlang_c_seconds(rate, service, servers), rel=0.12
    )


@pytest.mark.parametrize("variation", [0, 0.5, 2])
def test_one_server_waits_as_mg1_does(variation: float) -> None:
    rate, service = 60, 0.01
    expected = pollaczek_khinchine_seconds(rate, service, variation)
    assert mean_wait(1, rate, service, variation, 800) == pytest.approx(expected, rel=0.12)


def test_a_busy_stream_of_which_some_ticks_are_simulated_waits_the_same() -> None:
    service = 0.00005
    rate = 0.6 / service
    assert rate > 2 * JOBS_PER_SECOND
    assert mean_wait(1, rate, service, 1, 15) == pytest.approx(erlang_c_seconds(rate, service, 1), rel=0.12)


@settings(max_examples=10, deadline=None)
@given(st.floats(0.1, 0.85), st.integers(1, 8), st.floats(0, 2))
def test_a_station_is_as_busy_as_its_jobs_are_long(use: float, servers: int, variation: float) -> None:
    env = simpy.Environment()
    rate = use * servers / 0.02
    stream = Stream(Station(servers), [Kind("job", 0.02, variation)], lambda: {"job": rate}, random.Random(3))
    env.process(stream.run(env))
    env.run(until=10)
    assert stream.utilisation == pytest.approx(use, rel=0.35)


def test_nothing_is_served_while_a_station_is_away() -> None:
    station = Station(1)
    station.away_until = 3.0
    assert station.serve(1.0, 0.5) == pytest.approx(2.5)
    assert station.serve(3.1, 0.5) == pytest.approx(0.9)


@pytest.fixture(scope="module")
def small_play() -> dict[str, Any]:
    return scenario.play(plan(SMALL, MEASURED, PRICED, 0.6), MEASURED, 1)


def test_the_same_seed_plays_the_same(small_play: dict[str, Any]) -> None:
    assert scenario.play(plan(SMALL, MEASURED, PRICED, 0.6), MEASURED, 1) == small_play


def test_a_small_store_on_its_two_machines_survives_each_death(small_play: dict[str, Any]) -> None:
    assert small_play["targets"]["pages and messages p95 < 300 ms in quiet hours"]
    backs = {fault["what"]: fault["back_seconds"] for fault in small_play["faults"]}
    # Its silence is what its people wait for, and no more.
    assert scenario.MONGO_AWAY_SECONDS <= backs["MongoDB's primary dies"] <= scenario.MONGO_AWAY_SECONDS + 2
    # Whoever hears nothing waits for the next ping's answer.
    least, most = scenario.ANSWER_SECONDS, scenario.ANSWER_SECONDS + scenario.PING_SECONDS + 2
    assert least < backs["an app server loses its power"] <= most
    assert not small_play["targets"]["back within 15 s after each death"]


def test_a_prediction_of_the_load_that_it_was_measured_in_agrees_in_cpu(tmp_path: Path) -> None:
    from accountsstore.capacity.measurement import from_load_report

    found, lines = checking.checked(LOAD, from_load_report(LOAD), seed=1)
    assert all(row["within"] for row in found["rows"] if "CPU" in row["what"])
    assert any("pages p95" in line for line in lines)


def test_a_prediction_that_is_off_says_why() -> None:
    found, _lines = checking.checked(LOAD, MEASURED, seed=1)
    off = [row for row in found["rows"] if not row["within"]]
    assert off
    assert all(row["why"] for row in off)
    assert not found["within"]


def test_the_command_plays_the_users_and_ten_times_as_many_by_its_seed(
    small_play: dict[str, Any], tmp_path: Path
) -> None:
    out = StringIO()
    call_command(
        "capacity",
        f"--users={SMALL.users}",
        f"--measurements={saved(tmp_path)}",
        "--simulate",
        "--json",
        "--seed=4",
        stdout=out,
    )
    few, many = json.loads(out.getvalue())["simulation"]
    assert (few["users"], many["users"]) == (SMALL.users, 10 * SMALL.users)
    assert few["steady"] != small_play["steady"]


def test_a_percentile_is_one_of_the_values() -> None:
    assert percentile([3.0, 1.0, 2.0], 0.5) == 2.0
    assert percentile([1.0], 0.95) == 1.0
    assert math.isnan(percentile([], 0.5))
