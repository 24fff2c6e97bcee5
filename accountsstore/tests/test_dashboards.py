"""deploy/grafana: a dashboard that the code writes, and each of its lines asked of a real Prometheus that reads a real site."""

import json
import shutil
import subprocess
import sys
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml
from django.conf import settings

from accountsstore.command_runs import NIGHTLY, command_ended
from accountsstore.tests.metrics_page import metrics_of, serving
from accountsstore.tests.programs import ask, eventually, free_port
from accountsstore.tests.prometheus import RULES, asked_for, told_metrics

GRAFANA = settings.BASE_DIR / "deploy" / "grafana"
PROMETHEUS = settings.BASE_DIR / "deploy" / "prometheus"
PANELS = [panel for panel in json.loads((GRAFANA / "store.json").read_text())["panels"] if panel["type"] != "row"]
LINES = [target["expr"] for panel in PANELS for target in panel["targets"]]


def test_the_dashboard_is_the_one_that_the_code_writes() -> None:
    done = subprocess.run(
        [sys.executable, GRAFANA / "dashboards.py", "--check"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("expression", LINES)
def test_a_line_asks_for_metrics_that_somebody_tells(expression: str) -> None:
    assert asked_for(expression)
    assert asked_for(expression) <= told_metrics()


def test_every_metric_that_an_alert_asks_for_is_drawn() -> None:
    drawn = set().union(*map(asked_for, LINES))
    for rule in RULES:
        if "record" in rule and rule["record"] in drawn:
            drawn |= asked_for(rule["expr"])
    wanted = set().union(*(asked_for(rule["expr"]) for rule in RULES if "alert" in rule))
    # Whether somebody answers at all is no line.
    assert wanted <= drawn | {"up", "probe_success"}


def test_the_lines_of_a_panel_have_names_of_their_own() -> None:
    for panel in PANELS:
        names = [target["refId"] for target in panel["targets"]]
        assert "" not in names
        assert len(set(names)) == len(names)


Query = Callable[[str], list[object]]


@pytest.fixture
def prometheus(tmp_path: Path, django_db_setup: None) -> Iterator[tuple[int, Query]]:
    """A site, and the deployed configuration of Prometheus with that site in it and without the exporters: the port of the
    site, and what asks Prometheus."""
    configuration = yaml.safe_load((PROMETHEUS / "prometheus.yml").read_text())
    configuration["global"] = {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"}
    configuration["rule_files"] = [str(PROMETHEUS / "rules.yml")]
    [job] = [job for job in configuration["scrape_configs"] if job["job_name"] == "store"]
    configuration["scrape_configs"] = [job]
    port, log = free_port(), tmp_path / "prometheus.log"
    with serving(tmp_path) as (site, _), log.open("w") as out:
        job["static_configs"] = [{"targets": [f"127.0.0.1:{site}"]}]
        (tmp_path / "prometheus.yml").write_text(yaml.safe_dump(configuration))
        files = [f"--config.file={tmp_path / 'prometheus.yml'}", f"--storage.tsdb.path={tmp_path / 'tsdb'}"]
        process = subprocess.Popen(
            ["prometheus", *files, f"--web.listen-address=127.0.0.1:{port}"], stdout=out, stderr=out
        )

        def query(expression: str) -> list[object]:
            question = urllib.parse.urlencode({"query": expression})
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/api/v1/query?{question}", timeout=60) as answer:
                return json.load(answer)["data"]["result"]

        def reads() -> bool:
            assert process.poll() is None, log.read_text()
            try:
                return bool(query('up{job="store"} == 1'))
            except OSError:
                return False

        try:
            eventually(reads, "Prometheus does not read the site", log)
            yield site, query
        finally:
            process.terminate()
            process.wait()


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
@pytest.mark.skipif(not shutil.which("prometheus"), reason="Prometheus is not installed (apt-get install prometheus)")
def test_prometheus_answers_each_line_and_each_rule_with_what_a_live_site_tells(prometheus: tuple[int, Query]) -> None:
    port, query = prometheus
    for name in NIGHTLY:
        command_ended(name)
    assert ask(port, "GET", "/help/", {}).status == 200
    told = {name for name, _ in metrics_of(port)} | {rule["record"] for rule in RULES if "record" in rule}
    expressions = [line.replace("$__rate_interval", "1m") for line in LINES]
    answered = [each for each in expressions if asked_for(each) <= told]
    assert len(answered) > len(expressions) / 2
    for expression in [*expressions, *(rule["expr"] for rule in RULES)]:
        query(expression)  # raises for one that it does not understand
    for expression in answered:
        eventually(lambda expression=expression: query(expression), f"nothing comes of {expression}")
