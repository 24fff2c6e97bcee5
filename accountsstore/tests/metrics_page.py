"""Reading `/metrics` as Prometheus does, and the processes that it tells of."""

import contextlib
import http.client
from collections.abc import Iterator
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

from accountsstore.tests.programs import ask, eventually, free_port, program, program_env


class Samples(dict[tuple[str, frozenset[tuple[str, str]]], float]):
    """`page("name", label="value")`; 0 for what is not there."""

    def __init__(self, text: str) -> None:
        super().__init__()
        for family in text_string_to_metric_families(text):
            for sample in family.samples:
                key = sample.name, frozenset(sample.labels.items())
                assert key not in self, f"{key} twice"
                self[key] = sample.value

    def __call__(self, name: str, **labels: str) -> float:
        return self.get((name, frozenset(labels.items())), 0)

    def total(self, name: str, **labels: str) -> float:
        """Over all other labels."""
        return sum(value for (each, has), value in self.items() if each == name and labels.items() <= dict(has).items())


def metrics_of(port: int) -> Samples:
    answer = ask(port, "GET", "/metrics", {})
    assert answer.status == 200, answer.text
    return Samples(answer.text)


def sharing(folder: Path, **env: str) -> dict[str, str]:
    """What a program needs to count with the others in `folder`. With DEBUG no static files have to be collected."""
    return program_env(METRICS_DIR=str(folder / "metrics"), DEBUG="true", **env)


@contextlib.contextmanager
def serving(folder: Path, **env: str) -> Iterator[tuple[int, int]]:
    """`manage.py serve` on the test's database, with its files in `folder`: its port and the number of its process."""
    port = free_port()
    log = folder / f"site-{port}.log"
    with program(log, "manage.py", "serve", "--port", str(port), env=sharing(folder, **env)) as process:
        eventually(lambda: process.poll() is not None or listens(port), "the site does not start", log)
        assert process.poll() is None, log.read_text()
        yield port, process.pid


def listens(port: int) -> bool:
    try:
        return ask(port, "GET", "/api/health/live", {}).status == 200
    except (OSError, http.client.HTTPException):
        return False
