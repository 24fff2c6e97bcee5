"""A Prometheus of the run's own, which reads the store's metrics by the deployed rules, and what it recorded."""

import contextlib
import json
import subprocess
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from accountsstore.management.processes import WITH_PARENT

DEPLOY = Path(__file__).resolve().parents[2] / "deploy"
SCRAPE_SECONDS = 5
# Grafana takes four scrapes at least.
RATE_INTERVAL = f"{4 * SCRAPE_SECONDS}s"
START_SECONDS = 60
# More points than a panel has room for.
POINTS = 200


@dataclass(frozen=True)
class Prometheus:
    port: int
    pid: int

    def range(self, expression: str, began: float, ended: float) -> list[dict[str, Any]]:
        """The lines of an expression of a dashboard: [{"metric": {label: value}, "values": [[seconds, "number"], …]}]."""
        step = max(SCRAPE_SECONDS, (ended - began) / POINTS)
        question = urllib.parse.urlencode(
            {
                "query": expression.replace("$__rate_interval", RATE_INTERVAL),
                "start": began,
                "end": ended,
                "step": round(step, 3),
            }
        )
        with urllib.request.urlopen(
            f"http://127.0.0.1:{self.port}/api/v1/query_range?{question}", timeout=60
        ) as answer:
            return list(json.load(answer)["data"]["result"])


@contextlib.contextmanager
def prometheus(folder: Path, port: int, target: str) -> Iterator[Prometheus]:
    """Run it until the end of the block; it reads `target`, an address of the store's. Raises TimeoutError."""
    folder.mkdir(parents=True)
    configuration = {
        "global": {"scrape_interval": f"{SCRAPE_SECONDS}s", "evaluation_interval": f"{SCRAPE_SECONDS}s"},
        "rule_files": [str(DEPLOY / "prometheus" / "rules.yml")],
        "scrape_configs": [{"job_name": "store", "static_configs": [{"targets": [target]}]}],
    }
    (folder / "prometheus.yml").write_text(yaml.safe_dump(configuration))
    command = ["prometheus", f"--config.file={folder / 'prometheus.yml'}", f"--storage.tsdb.path={folder / 'tsdb'}"]
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(
            [*WITH_PARENT, *command, f"--web.listen-address=127.0.0.1:{port}"],
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        give_up = time.monotonic() + START_SECONDS
        while not _is_ready(port):
            if process.poll() is not None or time.monotonic() > give_up:
                raise TimeoutError(f"Prometheus does not start: {folder / 'log'}")
            time.sleep(0.1)
        yield Prometheus(port, process.pid)
    finally:
        process.terminate()
        process.wait()


def _is_ready(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/-/ready", timeout=5) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False
