"""`manage.py capacity`: how many machines so many people need."""

import dataclasses
import json
from dataclasses import fields
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from accountsstore.capacity import measurement, report
from accountsstore.capacity.errors import CapacityError
from accountsstore.capacity.plan import plan
from accountsstore.capacity.prices import prices_read
from accountsstore.capacity.workload import MOST_USERS, SOURCES, Workload

PRICES = settings.BASE_DIR / "deploy" / "prices.toml"


class Command(BaseCommand):
    help = (
        "Measures this host in about a minute, on data of its own beside the store's, and says how many machines so many "
        "users need, what gives way first and what it costs. --simulate plays storms and dead hosts through."
    )
    # It asks the servers itself, on a database that is not the store's.
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--users", type=int, default=200_000, help="at once (default: %(default)s)")
        for rate in fields(Workload)[1:]:
            option = f"--{rate.name.replace('_', '-')}"
            parser.add_argument(option, type=float, help=f"by each user (default: {rate.default})")
        parser.add_argument(
            "--target", type=float, default=60, help="percent of CPU at the peak (default: %(default)s)"
        )
        parser.add_argument("--prices", type=Path, default=PRICES, help="TOML, as deploy/prices.toml, the default")
        parser.add_argument(
            "--measurements", type=Path, help="do not measure: what --save wrote, or the report.json of make load"
        )
        parser.add_argument("--save", type=Path, help="write what was measured here")
        parser.add_argument("--json", action="store_true", help="print the plan for programs")
        parser.add_argument("--simulate", action="store_true", help="play arrivals, reconnect storms and dead hosts")
        parser.add_argument("--check", type=Path, help="a report.json of make load: predict it, and say how near")
        parser.add_argument("--seed", type=int, default=1, help="of the simulation (default: %(default)s)")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            self._answer(options)
        except CapacityError as error:
            raise CommandError(str(error)) from None

    def _answer(self, options: dict[str, Any]) -> None:
        given = {name for name in SOURCES if options[name] is not None}
        workload = Workload(options["users"], **{name: options[name] for name in given})
        if not 1 <= options["target"] <= 100:
            raise CapacityError(f"--target is {options['target']:g}; it is a percentage from 1 to 100.")
        prices = prices_read(options["prices"])
        simulation = _simulation() if options["simulate"] or options["check"] else None
        load = measurement.read_json(options["check"]) if options["check"] else None
        measured = self._measurement(options)
        planned = plan(workload, measured, prices, options["target"] / 100)
        data = report.as_data(planned, measured, prices, given)
        texts = list(report.lines(planned, measured, prices, given))
        if simulation and options["simulate"]:
            ten_times = dataclasses.replace(workload, users=min(10 * workload.users, MOST_USERS))
            plans = [planned, plan(ten_times, measured, prices, options["target"] / 100)]
            data["simulation"], more = simulation.scenario.played(plans, measured, options["seed"])
            texts += more
        if simulation and load is not None:
            data["check"], more = simulation.checking.checked(load, measured, options["seed"])
            texts += more
        if options["json"]:
            self.stdout.write(json.dumps(data, indent=1, ensure_ascii=False))
        else:
            for text in texts:
                self.stdout.write(text)

    def _measurement(self, options: dict[str, Any]) -> measurement.Measurement:
        if options["measurements"]:
            measured = measurement.read(options["measurements"])
        else:
            from accountsstore.capacity.measure import measure

            measured = measure(lambda line: self.stderr.write(line, str))
        if options["save"]:
            try:
                options["save"].write_text(measured.to_json())
            except OSError as error:
                raise CapacityError(f"{options['save']} cannot be written ({error.strerror}).") from None
        return measured


def _simulation() -> Any:
    """The package with `scenario` and `checking`, or a sentence: they stand on what a store does not need to run."""
    try:
        from accountsstore import capacity
        from accountsstore.capacity import checking, scenario  # noqa: F401
    except ImportError as error:
        if error.name != "simpy":
            raise
        raise CapacityError(
            "The simulation needs simpy, which is not installed: pip install simpy==4.1.2 (it is in requirements/dev.txt)."
        ) from None
    return capacity
