"""The report of a run: one HTML file for people, one JSON file for programs.

    .venv/bin/python -m locustfiles.load.report var/load            draws report.html again from what was recorded there
    .venv/bin/python -m locustfiles.load.report var/load load.png   and makes a picture of its dashboard

report.json, of the step with the most people that fitted (of the only one, where none did):

    users                   people at a time, each with a tab; `sockets` of them had a WebSocket open at the end of the step
    fits                    whether the step kept the limits: p95 of pages <= 500 ms, less than 1 % of all steps failed
    seconds                 how long it was measured
    requests_per_second     HTTP requests, without sockets; `messages_per_second` are those that reached the other side
    p50_ms p95_ms p99_ms    of all HTTP requests
    routes                  {step and address: {method, count, failures, p50_ms, p95_ms, p99_ms}}; method WS is the socket
    cpu_seconds rss_bytes   {role: of all its processes}; roles: nginx, pages (gunicorn), sockets (Daphne), worker, beat,
                            mongo, redis, queue, prometheus, generator (Locust itself)
    rss_growth_bytes        {role: of those processes that lived through the whole step}
    busy_cores cores        what the whole machine computed, and what it has
    people_per_generator_core   how many of these people one core of Locust's plays
    steps                   every step: {people, began, ended, fits, requests_per_second, messages_per_second, failures,
                            p50_ms, p95_ms, p99_ms, routes, errors, usage: {busy_cores, seconds, roles: {role: …}}}
    errors                  [{step, what, times}] of all steps
    recorded                [from, to]: the time that the dashboard shows, as `began` and `ended` in seconds since 1970
    date machine page_seconds message_seconds listings books limits    how it was run, and what `verify_ledger` said afterwards
"""

import json
import os
import sys
from pathlib import Path
from typing import Any

import django
from django.template import Context, Engine

from locustfiles.load.panels import drawn, legend, written

PICTURE_WIDTH = 1240
TEMPLATE = Path(__file__).with_name("report.html")
ROLES = {
    "nginx": "nginx",
    "pages": "pages: gunicorn",
    "sockets": "sockets: Daphne",
    "worker": "jobs: Celery",
    "beat": "clock: beat",
    "mongo": "MongoDB, three nodes",
    "redis": "Redis Cluster, six nodes",
    "queue": "queue's Redis, Sentinels",
    "prometheus": "Prometheus",
    "generator": "Locust, who plays the people",
}
# A machine that computes so much of the time has no more to give.
BUSY_SHARE = 0.9
# What the system itself does besides is less.
OTHERS_SHARE = 0.15


def summary(run: dict[str, Any]) -> dict[str, Any]:
    """What report.json holds, from what a run recorded."""
    steps = run["steps"]
    step = max((one for one in steps if one["fits"]), key=lambda one: one["people"], default=steps[-1])
    usage = step["usage"]
    return {
        "users": step["people"],
        "seconds": usage["seconds"],
        **{key: step[key] for key in step if key not in ("people", "usage", "errors", "seconds")},
        **{
            key: {role: figures[key] for role, figures in usage["roles"].items()}
            for key in ("cpu_seconds", "rss_bytes", "rss_growth_bytes")
        },
        "busy_cores": usage["busy_cores"],
        "people_per_generator_core": round(step["people"] / max(usage["roles"]["generator"]["cores"], 0.001)),
        "errors": [error for one in steps for error in one["errors"]],
        **{key: run[key] for key in run if key != "panels"},
    }


def limit(found: dict[str, Any]) -> str:
    """What gave way, in a sentence: of the first step that did not fit, else of the last."""
    steps = found["steps"]
    step = next((one for one in steps if not one["fits"]), steps[-1])
    busy, cores = step["usage"]["busy_cores"], found["cores"]
    roles = sorted(step["usage"]["roles"].items(), key=lambda pair: -pair[1]["cores"])
    busiest = ", ".join(f"{ROLES[role]} {figures['cores']:.2f}" for role, figures in roles[:4])
    at = f"With {step['people']:,} people"
    if step["fits"]:
        said = f"{at} no limit was met: p95 {step['p95_ms']:.0f} ms"
    elif step["failures"] > 0.01 * sum(route["count"] for route in step["routes"].values()):
        said = f"{at} {step['failures']:,} steps failed, p95 {step['p95_ms']:.0f} ms"
    else:
        said = f"{at} the pages' p95 was {step['p95_ms']:.0f} ms"
    if busy >= BUSY_SHARE * cores:
        why = f"the machine's {cores} cores were the limit: {busy:.2f} of them were busy"
    else:
        why = f"{busy:.2f} of the machine's {cores} cores were busy"
    others = busy - sum(figures["cores"] for _role, figures in roles)
    if others > OTHERS_SHARE * cores:
        why += f" ({others:.2f} of them with other programs than these: measure again while they rest)"
    return f"{said}, and {why}. Most had {busiest}."


def report_html(run: dict[str, Any]) -> str:
    found = summary(run)
    began, ended = found["recorded"]
    panels = [
        {
            "row": panel["row"],
            "title": panel["title"],
            "svg": drawn(panel, began, ended, (found["began"], found["ended"])),
            "legend": legend(panel),
        }
        for panel in run["panels"]
        if panel["lines"]
    ]
    rows: dict[str, list[Any]] = {}
    for panel in panels:
        rows.setdefault(panel["row"], []).append(panel)
    context = {
        "run": found,
        "limit": limit(found),
        "routes": found["routes"].items(),
        "usage": _usage(found),
        "rows": rows.items(),
        "silent": [panel["title"] for panel in run["panels"] if not panel["lines"]],
        "minutes": f"{(ended - began) / 60:.0f}",
    }
    return Engine().from_string(TEMPLATE.read_text()).render(Context(context))


def _usage(found: dict[str, Any]) -> list[dict[str, Any]]:
    step = next(one for one in found["steps"] if one["people"] == found["users"] and one["began"] == found["began"])
    return [
        {
            "name": ROLES[role],
            "processes": figures["processes"],
            "cores": f"{figures['cores']:.2f}",
            "share": f"{100 * figures['cores'] / found['cores']:.0f}",
            "memory": written(figures["rss_bytes"], "bytes"),
            "growth": f"{figures['rss_growth_bytes'] / 1e6:+.1f} MB",
            "most": f"{max((one['rss_growth_bytes'] for one in figures['each']), default=0) / 1e6:+.1f} MB",
        }
        for role, figures in step["usage"]["roles"].items()
    ]


def write(folder: Path, run: dict[str, Any]) -> None:
    """report.json, report.html, and run.json, from which both can be made again."""
    (folder / "run.json").write_text(json.dumps(run))
    (folder / "report.json").write_text(json.dumps(summary(run), indent=1))
    (folder / "report.html").write_text(report_html(run))


def picture(page: Path, file: Path) -> None:
    """The top of the dashboard, as Chromium shows it."""
    from accountsstore.tests.chromium import chromium

    with chromium() as browser:
        sheet = browser.new_page(viewport={"width": PICTURE_WIDTH, "height": PICTURE_WIDTH}, color_scheme="light")
        sheet.goto(page.resolve().as_uri())
        box = sheet.locator("#dashboard").bounding_box()
        assert box
        clip = {"x": 0, "y": box["y"], "width": PICTURE_WIDTH, "height": min(box["height"], 0.6 * PICTURE_WIDTH)}
        sheet.screenshot(path=file, full_page=True, clip=clip)  # type: ignore[arg-type]


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "accountsstore.settings")
    django.setup()
    folder, pictures = Path(*sys.argv[1:2]), sys.argv[2:3]
    try:
        write(folder, json.loads((folder / "run.json").read_text()))
    except (OSError, ValueError) as error:
        sys.exit(f"There is no run to report in {folder}: {error}. Make one: make load")
    for file in pictures:
        picture(folder / "report.html", Path(file))
