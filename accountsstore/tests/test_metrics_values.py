"""What lies behind the numbers: the files, the fork, the dead, and parts that hang."""

import threading
from pathlib import Path

import pytest

from accountsstore.metrics import scrape, values
from accountsstore.metrics.scrape import PART_UP, Part, ScrapedGauge
from accountsstore.tests.programs import run_python

GAUGE = ScrapedGauge("test_gauge", "")
# A program that counts, with these lines in it; it prints what `/metrics` of the folder would tell.
PROGRAM = """
import os, sys, signal, django
import accountsstore
from prometheus_client import Counter, Gauge
django.setup()
from accountsstore.metrics import values
counter = Counter("test_counter", "", ["who"])
gauge = Gauge("test_level", "", multiprocess_mode="livesum")
counter.labels("early").inc()
values.share("test")
{lines}
samples = [sample for family in values.families() for sample in family.samples]
told = {{(sample.name, sample.labels.get("who")): sample.value for sample in samples}}
counts = [told.get(("test_counter_total", who), 0) for who in ("early", "late")]
print(*counts, told["test_level", None], values.living()["test"])
"""


def env(folder: Path) -> dict[str, str]:
    return {
        "DJANGO_SETTINGS_MODULE": "accountsstore.settings",
        "METRICS_DIR": str(folder),
        "DEBUG": "true",
        "SECRET_KEY": "x" * 50,
        "CREDENTIAL_KEYS": "test:" + "dGVzdC1vbmx5LWtleS10ZXN0LW9ubHkta2V5LTMyYnk=",
    }


def told(folder: Path, lines: str = "") -> list[float]:
    """Early and late counts, the gauge, and how many processes live."""
    done = run_python("-c", PROGRAM.format(lines=lines), env=env(folder))
    assert done.returncode == 0, done.stderr
    return [float(text) for text in done.stdout.splitlines()[-1].split()]


def test_what_was_counted_before_a_program_shared_counts(tmp_path: Path) -> None:
    assert told(tmp_path) == [1, 0, 0, 1]


def test_counts_of_the_ended_stay_and_their_gauges_go(tmp_path: Path) -> None:
    assert told(tmp_path, "counter.labels('late').inc(5); gauge.set(7)") == [1, 5, 7, 1]
    assert told(tmp_path) == [2, 5, 0, 1]
    assert told(tmp_path, "counter.labels('late').inc()") == [3, 6, 0, 1]


def test_the_ended_leave_no_files_of_their_own(tmp_path: Path) -> None:
    told(tmp_path)
    files = len(list(tmp_path.iterdir()))
    for _ in range(3):
        told(tmp_path)
    # Those of the last one, and the sums.
    assert len(list(tmp_path.iterdir())) <= files + 2


def test_a_child_counts_beside_its_parent_from_zero(tmp_path: Path) -> None:
    lines = """
gauge.set(3)
ready, tell = os.pipe()
child = os.fork()
if not child:
    counter.labels("late").inc(2); gauge.set(4); os.write(tell, b"x"); signal.pause()
os.read(ready, 1)
counter.labels("late").inc(10)
both = [s.value for f in values.families() for s in f.samples if s.name == "test_level"]
assert both == [7], both
assert values.living()["test"] == 2
os.kill(child, signal.SIGKILL); os.waitpid(child, 0)
"""
    assert told(tmp_path, lines) == [1, 12, 3, 1]


def test_a_torn_file_counts_for_nothing_and_breaks_nothing(tmp_path: Path) -> None:
    told(tmp_path)
    [counters] = tmp_path.glob("counter_test-*.db")
    counters.write_bytes(counters.read_bytes()[:6])
    assert told(tmp_path, "counter.labels('late').inc()") == [1, 1, 0, 1]
    assert told(tmp_path) == [2, 1, 0, 1]


def test_a_reader_that_is_frozen_keeps_nobody_from_starting(tmp_path: Path) -> None:
    starts = "import django; django.setup(); from accountsstore.metrics import share; share('test')"
    with values.locked(tmp_path):
        done = run_python("-c", starts, env=env(tmp_path))
    assert (done.returncode, done.stderr) == (0, "")
    assert len(list(tmp_path.glob("test-*.lock"))) == 1


def test_a_folder_that_cannot_be_written_to_stops_no_program(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("")
    assert told(tmp_path / "taken") == [1, 0, 0, 0]


def test_a_part_that_hangs_is_left_out_and_not_begun_again(monkeypatch: pytest.MonkeyPatch) -> None:
    go_on, begun = threading.Event(), []

    def hang() -> list[scrape.Reading]:
        begun.append(1)
        go_on.wait()
        return [(GAUGE, (), 1)]

    well, ill = Part("well", lambda: [(GAUGE, (), 5)]), Part("ill", hang, keep_seconds=0)
    monkeypatch.setattr(scrape, "_parts", {"well": well, "ill": ill})
    monkeypatch.setattr(scrape, "servers", list)
    monkeypatch.setattr(scrape, "PATIENCE_SECONDS", 0.2)
    try:
        for _ in range(3):
            assert values_of(PART_UP.name) == {("well",): 1, ("ill",): 0}
            assert values_of(GAUGE.name) == {(): 5}
        assert len(begun) == 1
    finally:
        go_on.set()
    ill._ended.wait()
    assert values_of(PART_UP.name) == {("well",): 1, ("ill",): 1}


def test_a_part_is_read_once_however_often_it_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    reads = []
    monkeypatch.setattr(scrape, "_parts", {"one": Part("one", lambda: reads.append(1) or [], keep_seconds=60)})
    monkeypatch.setattr(scrape, "servers", list)
    for _ in range(5):
        assert values_of(PART_UP.name) == {("one",): 1}
    assert len(reads) == 1


def test_a_part_that_fails_says_so_and_is_read_again(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = iter([ZeroDivisionError(), None])

    def read() -> list[scrape.Reading]:
        if error := next(answers):
            raise error
        return []

    monkeypatch.setattr(scrape, "_parts", {"one": Part("one", read, keep_seconds=0)})
    monkeypatch.setattr(scrape, "servers", list)
    assert values_of(PART_UP.name) == {("one",): 0}
    assert values_of(PART_UP.name) == {("one",): 1}


def values_of(name: str) -> dict[tuple[str, ...], float]:
    return {
        tuple(sample.labels.values()): sample.value
        for family in scrape.families()
        for sample in family.samples
        if sample.name == name
    }


def test_values_are_ours() -> None:
    """A new version of prometheus_client that asks something else for them would count in no file."""
    from prometheus_client import Counter

    assert isinstance(Counter("test_ours", "")._value, values.SharedValue)
