"""What expressions of Prometheus's language ask for, and what there is to ask for."""

import re
from typing import Any

import yaml
from django.conf import settings

from accountsstore.management.commands.render_docs import COUNTED
from accountsstore.metrics.scrape import scraped

RULES: list[dict[str, Any]] = [
    rule
    for group in yaml.safe_load((settings.BASE_DIR / "deploy/prometheus/rules.yml").read_text())["groups"]
    for rule in group["rules"]
]
# Prometheus's own, and of the exporters that prometheus.yml names.
OTHERS = {"up", "node_cpu_seconds_total", "probe_success", "probe_ssl_earliest_cert_expiry"}
# Words of the language that stand in our expressions.
LANGUAGE = {
    "absent", "avg", "by", "histogram_quantile", "max", "max_over_time", "min", "or", "rate", "sum", "time", "topk",
    "vector",
}  # fmt: skip


def asked_for(expression: str) -> set[str]:
    """The metrics in it, without their labels."""
    bare = re.sub(r"\{[^}]*\}|\[[^]]*\]|by \([^)]*\)", " ", expression)
    return set(re.findall(r"[a-z_][\w:]*", bare)) - LANGUAGE


def told_metrics() -> set[str]:
    """Those of the store (test_metrics.py holds them to a live page), the records of the rules, and OTHERS."""
    names = {metric.describe()[0].name for metric in COUNTED} | scraped.keys()
    ends = {f"{name}{end}" for name in names for end in ("_total", "_count", "_bucket", "_sum")}
    return names | ends | {rule["record"] for rule in RULES if "record" in rule} | OTHERS
