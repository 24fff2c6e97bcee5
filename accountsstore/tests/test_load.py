"""`make load`: its people play in a store that runs, and its report says what a run saw. Locust brings gevent, which must not
come under other tests: it runs in a process of its own."""

import html
import json
import os
import re
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings

from accountsstore.tests.programs import PATIENCE_SECONDS, run_python
from accountsstore.tests.running_store import RunningStore
from locustfiles.load import report
from locustfiles.load.panels import written
from locustfiles.load.people import Cast
from locustfiles.load.plan import plan_of, stages_of

# A run of `make load PEOPLE=…` as it was recorded, without most of its dashboard.
RECORDED = Path(__file__).with_name("load_run.json")
LOCUST = ["-m", "locust", "--headless", "--only-summary", "-f"]
# The run ends when each of these was done once.
STEPS = [
    "home /", "search /browse/?q=", "listing /listing/", "checkout /checkout/", "buy /checkout/", "order /orders/",
    "order's chat /messages/order/", "deliver /orders/deliver/", "order changes /orders/live/", "reveal /orders/reveal/",
    "accept /orders/accept/", "header figures /live/", "hand in a receipt /wallet/deposit/", "sign in /account/login/",
    "approve a deposit /admin/", "conversation /messages/…/", "socket opens", "message is acknowledged",
    "message reaches the other",
]  # fmt: skip


@pytest.mark.slow
def test_the_people_of_the_load_test_play_in_a_running_store_and_nothing_fails(
    store: RunningStore, tmp_path: Path
) -> None:
    cast, seen = tmp_path / "cast.json", tmp_path / "seen"
    made = run_python("-m", "locustfiles.load.cast", str(cast), "--people", "20", env=store.env)
    assert made.returncode == 0, made.stdout + made.stderr
    assert cast.stat().st_mode & 0o077 == 0
    files = "locustfiles/load/journeys.py,accountsstore/tests/locust_until.py"
    pace = [
        "--users",
        "14",
        "--spawn-rate",
        "20",
        "--page-seconds",
        "0.5",
        "--message-seconds",
        "1",
        "--deposit-share",
        "0.5",
    ]
    options = [
        "--host",
        store.url,
        "--cast",
        str(cast),
        "--no-static",
        "--stop-timeout",
        "60",
        "--json-file",
        str(seen),
    ]
    # The time is only a backstop.
    backstop = ["--run-time", f"{PATIENCE_SECONDS - 90}s"]
    done = run_python(*LOCUST, files, *pace, *options, *backstop, env=store.env | {"UNTIL": json.dumps(STEPS)})
    assert done.returncode == 0, done.stdout + done.stderr
    entries = json.loads(seen.with_suffix(".json").read_text())
    assert {entry["name"]: entry["num_failures"] for entry in entries if entry["num_failures"]} == {}
    assert set(STEPS) - {entry["name"] for entry in entries} == set()
    assert "Invariants 1 to 7 hold" in store.manage("verify_ledger")


@pytest.fixture
def run() -> dict[str, Any]:
    return json.loads(RECORDED.read_text())


def test_the_report_of_a_run_is_one_file_with_every_step_and_every_panel(run: dict[str, Any], tmp_path: Path) -> None:
    report.write(tmp_path, run)
    text, found = (tmp_path / "report.html").read_text(), json.loads((tmp_path / "report.json").read_text())
    for name in [*found["routes"], *(report.ROLES[role] for role in found["cpu_seconds"])]:
        assert name in html.unescape(text)
    drawn = [panel for panel in run["panels"] if panel["lines"]]
    assert text.count('role="img"') == len(drawn) > 2
    assert not re.search(r'(src|href)="', text)
    # What the module says that a program finds there is all that it finds.
    assert set(found) <= set(re.findall(r"\b[a-z]+[0-9]*(?:_[a-z]+)*\b", report.__doc__ or ""))
    # It can be drawn again.
    report.write(tmp_path, json.loads((tmp_path / "run.json").read_text()))
    assert (tmp_path / "report.html").read_text() == text


def test_the_report_tells_of_the_largest_step_that_fits_and_names_what_gave_way_in_the_next(
    run: dict[str, Any],
) -> None:
    [step] = run["steps"]
    usage = step["usage"] | {"busy_cores": sum(role["cores"] for role in step["usage"]["roles"].values())}
    fits = step | {"p95_ms": 120, "fits": True, "usage": usage}
    full = fits | {"people": 1000, "p95_ms": 1234, "fits": False, "began": step["ended"]}
    failing = full | {"failures": 999}

    def told(*steps: dict[str, Any]) -> tuple[str, str]:
        found = report.summary(run | {"steps": list(steps)})
        return report.limit(found), report.report_html(run | {"steps": list(steps)})

    limit, text = told(fits)
    assert limit.startswith(f"With {step['people']} people no limit was met: p95 120 ms, and ")
    assert "other programs" not in limit
    assert f"<h1>{step['people']} people fit on this machine" in text
    limit, text = told(fits, full)
    assert limit.startswith("With 1,000 people the pages' p95 was 1234 ms, and ")
    assert f"<h1>{step['people']} people fit on this machine" in text
    limit, text = told(failing)
    assert limit.startswith("With 1,000 people 999 steps failed")
    assert "<h1>1000 people do not fit on this machine" in text
    # As it was recorded: somebody else had the machine.
    limit, _text = told(step)
    assert "the machine's 2 cores were the limit: 2.01 of them were busy (1.7" in limit
    assert "other programs than these: measure again" in limit


def test_what_a_page_said_is_text_in_the_report(run: dict[str, Any]) -> None:
    run["steps"][0]["errors"] = [{"step": "home /", "what": "<script>alert(1)</script>", "times": 1}]
    assert "<script>" not in report.report_html(run)


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (0, "ms", "0 ms"),
        (1500, "ms", "1.5 s"),
        (0.5, "percentunit", "50 %"),
        (2.5e8, "bytes", "250 MB"),
        (12, "short", "12"),
    ],
)
def test_a_value_of_a_panel_is_written_with_its_unit(value: float, unit: str, text: str) -> None:
    assert written(value, unit) == text


@pytest.mark.parametrize("people", ["many", "3", "1000000", "-5", "1.5"])
def test_a_number_of_people_that_cannot_be_is_refused_in_a_sentence(
    people: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        plan_of(["--stack", "folder", f"--people={people}"])
    assert f"{people!r} is no number from 20 to 20000" in capsys.readouterr().err


@pytest.mark.parametrize("text", ["", "100,lots", "100,,200", "-1", "0"])
def test_steps_that_are_none_are_refused_in_a_sentence(text: str) -> None:
    with pytest.raises(ValueError, match="it is numbers of people, such as 100,200,400"):
        stages_of(text)


@pytest.mark.parametrize("text", ["no json", "[]", '{"words": []}'])
def test_a_file_that_is_no_cast_is_refused_in_a_sentence(text: str, tmp_path: Path) -> None:
    (tmp_path / "cast.json").write_text(text)
    with pytest.raises(ValueError, match=r"cast.json cannot be read as a cast .* Write one on the store"):
        Cast(tmp_path / "cast.json")


def test_no_two_processes_play_the_same_people_and_a_pair_stays_together(tmp_path: Path) -> None:
    file = tmp_path / "cast.json"
    people = {"buyer": [{"n": n} for n in range(6)], "chatter": [{"n": n} for n in range(8)], "visitor": []}
    file.write_text(json.dumps({"words": [], "for_sale": [], "password": "", "receipt": "", **people}))
    casts = [Cast(file, process, 2) for process in range(2)]
    buyers = [[cast.part("buyer")["n"] for _ in range(3)] for cast in casts]
    assert sorted(buyers[0] + buyers[1]) == [0, 1, 2, 3, 4, 5]
    chatters = [[cast.part("chatter")["n"] for _ in range(4)] for cast in casts]
    assert sorted(chatters[0] + chatters[1]) == [0, 1, 2, 3, 4, 5, 6, 7]
    assert all(pair[0] // 2 == pair[1] // 2 for each in chatters for pair in (each[:2], each[2:]))
    assert casts[0].part("visitor") == {}
    addresses = {cast.address() for cast in casts for _ in range(600)}
    assert len(addresses) == 1200


def test_locust_does_not_begin_with_what_it_cannot_read() -> None:
    done = run_python(*LOCUST, "locustfiles/load/journeys.py", "--cast", "/nowhere", env=dict(os.environ))
    assert done.returncode != 0
    assert "/nowhere cannot be read as a cast" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_store_that_serves_people_gets_no_invented_ones_unasked(tmp_path: Path) -> None:
    env = os.environ | {"DEBUG": "false", "SECRET_KEY": "s" * 50, "CREDENTIAL_KEYS": ",".join(settings.CREDENTIAL_KEYS)}
    done = run_python("-m", "locustfiles.load.cast", str(tmp_path / "cast.json"), env=env)
    assert done.returncode != 0
    assert "This is a production store" in done.stderr
    assert not (tmp_path / "cast.json").exists()
