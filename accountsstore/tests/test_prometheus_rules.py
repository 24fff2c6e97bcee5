"""deploy/prometheus: rules that promtool takes, each tried, about metrics that exist."""

import re
import shutil
import subprocess

import pytest
import yaml
from django.conf import settings

from accountsstore.management.commands.render_docs import COUNTED
from accountsstore.metrics.scrape import scraped

FOLDER = settings.BASE_DIR / "deploy" / "prometheus"
RULES = [rule for group in yaml.safe_load((FOLDER / "rules.yml").read_text())["groups"] for rule in group["rules"]]
# Words of the query language, labels among them, that stand in our expressions.
LANGUAGE = {"sum", "max", "rate", "by", "histogram_quantile"}


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.get("alert") or rule["record"])
def test_a_rule_asks_for_metrics_that_the_store_tells(rule: dict[str, str]) -> None:
    names = {metric.describe()[0].name for metric in COUNTED} | scraped.keys()
    told = names | {f"{name}{end}" for name in names for end in ("_total", "_count", "_bucket")}
    records = {each["record"] for each in RULES if "record" in each}
    bare = re.sub(r"\{[^}]*\}|\[[^]]*\]|by \([^)]*\)", " ", rule["expr"])
    assert set(re.findall(r"[a-z_][\w:]*", bare)) <= told | records | LANGUAGE | {"up"}


def test_each_alert_is_tried() -> None:
    tried = {
        test["alertname"]
        for group in yaml.safe_load((FOLDER / "rules_test.yml").read_text())["tests"]
        for test in group["alert_rule_test"]
        if test["exp_alerts"]
    }
    assert tried == {rule["alert"] for rule in RULES if "alert" in rule}


@pytest.mark.skipif(not shutil.which("promtool"), reason="promtool is not installed (apt-get install prometheus)")
@pytest.mark.parametrize(
    "arguments", [("check", "config", "prometheus.yml"), ("test", "rules", "rules_test.yml")], ids=" ".join
)
def test_promtool_takes_them(arguments: tuple[str, ...]) -> None:
    done = subprocess.run(["promtool", *arguments], cwd=FOLDER, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
