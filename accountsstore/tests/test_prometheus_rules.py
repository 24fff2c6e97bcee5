"""deploy/prometheus: rules that promtool takes, each tried, about metrics that exist."""

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from django.conf import settings

from accountsstore.tests.prometheus import RULES, asked_for, told_metrics

FOLDER = settings.BASE_DIR / "deploy" / "prometheus"
ALERTS = [rule for rule in RULES if "alert" in rule]
RUNBOOKS = settings.BASE_DIR / "docs" / "runbooks"


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.get("alert") or rule["record"])
def test_a_rule_asks_for_metrics_that_somebody_tells(rule: dict[str, str]) -> None:
    assert asked_for(rule["expr"]) <= told_metrics()


@pytest.mark.parametrize("rule", ALERTS, ids=lambda rule: rule["alert"])
def test_an_alert_names_its_page(rule: dict[str, Any]) -> None:
    page = RUNBOOKS / f"{rule['alert']}.md"
    assert settings.BASE_DIR / rule["annotations"]["runbook"] == page
    text = page.read_text()
    assert text.startswith(f"# {rule['alert']}\n")
    assert "\n    " in text or "admin's desk" in text, "nothing to type and nowhere to look"


def test_the_list_of_the_runbooks_has_each_alert_with_its_severity() -> None:
    rows = re.findall(r"^\| \[(\w+)\]\(\1\.md\) \| .* \| (\w+) \|$", (RUNBOOKS / "README.md").read_text(), re.MULTILINE)
    assert rows == [(rule["alert"], rule["labels"]["severity"]) for rule in ALERTS]
    assert {page.stem for page in RUNBOOKS.glob("*.md")} == {name for name, _ in rows} | {"README"}


@pytest.mark.parametrize("page", sorted(RUNBOOKS.glob("*.md")), ids=lambda page: page.stem)
def test_a_runbook_asks_for_metrics_that_somebody_tells(page: Path) -> None:
    names = re.findall(
        r"\b(?:http|mongodb|websocket|celery|store|outbox|event_loop|redis|server|clock)_\w+", page.read_text()
    )
    assert {name for name in names if name not in {"store_example"}} <= told_metrics()


def test_each_alert_is_tried() -> None:
    tried = {
        test["alertname"]
        for group in yaml.safe_load((FOLDER / "rules_test.yml").read_text())["tests"]
        for test in group["alert_rule_test"]
        if test["exp_alerts"]
    }
    assert tried == {rule["alert"] for rule in ALERTS}


@pytest.mark.skipif(not shutil.which("promtool"), reason="promtool is not installed (apt-get install prometheus)")
@pytest.mark.parametrize(
    "arguments", [("check", "config", "prometheus.yml"), ("test", "rules", "rules_test.yml")], ids=" ".join
)
def test_promtool_takes_them(arguments: tuple[str, ...]) -> None:
    done = subprocess.run(["promtool", *arguments], cwd=FOLDER, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
