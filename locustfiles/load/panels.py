"""The store's dashboard without Grafana: deploy/grafana/store.json, asked of a Prometheus and drawn as SVG."""

import json
import re
from pathlib import Path
from typing import Any

from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe

from locustfiles.load.prometheus import Prometheus

STORE = Path(__file__).resolve().parents[2] / "deploy" / "grafana" / "store.json"
# Of a panel's lines, those that were highest: more are not told apart.
LINES = 6
WIDTH, HEIGHT, LEFT, BOTTOM, TOP = 360, 150, 46, 18, 8
# {unit of the dashboard: what divides by how much, and is written behind}. The first that makes a number of 1 or more.
UNITS: dict[str, tuple[tuple[float, str], ...]] = {
    "bytes": ((1e9, " GB"), (1e6, " MB"), (1e3, " kB"), (1, " B")),
    "ms": ((1e3, " s"), (1, " ms")),
    "s": ((60, " min"), (1, " s"), (1e-3, " ms")),
    "percentunit": ((1e-2, " %"),),
    "reqps": ((1, "/s"),),
    "ops": ((1, "/s"),),
    "short": ((1e6, " M"), (1e3, " k"), (1, "")),
}


def recorded(prometheus: Prometheus, began: float, ended: float) -> list[dict[str, Any]]:
    """Every panel with what was recorded of it: [{"row", "title", "unit", "lines": [{"name", "points": [[at, value]]}]}].

    A panel without data has no lines: nothing of its kind ran, or nothing happened.
    """
    found, row = [], ""
    for panel in json.loads(STORE.read_text())["panels"]:
        if panel["type"] == "row":
            row = panel["title"]
            continue
        lines = [
            {"name": _legend(target["legendFormat"], line["metric"]), "points": _points(line["values"])}
            for target in panel["targets"]
            for line in prometheus.range(target["expr"], began, ended)
        ]
        lines = sorted((line for line in lines if line["points"]), key=_highest, reverse=True)[:LINES]
        found.append(
            {"row": row, "title": panel["title"], "unit": panel["fieldConfig"]["defaults"]["unit"], "lines": lines}
        )
    return found


def drawn(panel: dict[str, Any], began: float, ended: float, shaded: tuple[float, float]) -> SafeString:
    """The panel as SVG: its lines from `began` to `ended`, and behind them the time that is `shaded`."""
    top = _round_up(max((_highest(line) for line in panel["lines"]), default=0))

    def x(at: float) -> float:
        return LEFT + (WIDTH - LEFT - 4) * (at - began) / max(ended - began, 1)

    def y(value: float) -> float:
        return TOP + (HEIGHT - TOP - BOTTOM) * (1 - value / top)

    parts = [
        format_html(
            '<rect class="shade" x="{}" y="{}" width="{}" height="{}"/>',
            f"{x(shaded[0]):.1f}", TOP, f"{max(x(shaded[1]) - x(shaded[0]), 0):.1f}", HEIGHT - TOP - BOTTOM,
        )
    ]  # fmt: skip
    for share in (0, 0.5, 1):
        at = f"{y(share * top):.1f}"
        parts.append(format_html('<line class="hair" x1="{}" x2="{}" y1="{}" y2="{}"/>', LEFT, WIDTH, at, at))
        label = written(share * top, panel["unit"])
        parts.append(format_html('<text class="end" x="{}" y="{}" dy="4">{}</text>', LEFT - 5, at, label))
    minutes = f"{(ended - began) / 60:.0f} min"
    parts.append(format_html('<text x="{}" y="{}">0</text>', LEFT, HEIGHT - 4))
    parts.append(format_html('<text class="end" x="{}" y="{}">{}</text>', WIDTH - 4, HEIGHT - 4, minutes))
    for number, line in enumerate(panel["lines"]):
        points = " ".join(f"{x(at):.1f},{y(value):.1f}" for at, value in line["points"])
        parts.append(format_html('<polyline class="l{}" points="{}"/>', number, points))
    label = f"{panel['title']}: " + ", ".join(
        f"{line['name']} at most {written(_highest(line), panel['unit'])}" for line in panel["lines"]
    )
    return format_html(
        '<svg viewBox="0 0 {} {}" role="img" aria-label="{}">{}</svg>', WIDTH, HEIGHT, label, mark_safe("".join(parts))
    )


def legend(panel: dict[str, Any]) -> list[dict[str, str]]:
    """What each line is called, and its last value."""
    return [{"name": line["name"], "last": written(line["points"][-1][1], panel["unit"])} for line in panel["lines"]]


def written(value: float, unit: str) -> str:
    """ "1.2 GB", "350 ms", "12 %"."""
    units = UNITS.get(unit, UNITS["short"])
    divisor, name = next((pair for pair in units if abs(value) >= pair[0]), units[-1])
    number = value / divisor
    text = f"{number:.0f}" if abs(number) >= 10 or number == int(number) else f"{number:.2g}"
    return f"{text}{name}"


def _highest(line: dict[str, Any]) -> float:
    return max(value for _at, value in line["points"])


def _points(values: list[list[Any]]) -> list[list[float]]:
    """Without those that are no number: a quantile of nothing."""
    return [[at, float(text)] for at, text in values if text not in ("NaN", "+Inf", "-Inf")]


def _legend(text: str, labels: dict[str, str]) -> str:
    return re.sub(r"\{\{(\w+)\}\}", lambda found: labels.get(found[1], ""), text).strip() or "all"


def _round_up(value: float) -> float:
    """To 1, 2 or 5 and noughts."""
    if value <= 0:
        return 1.0
    power = 10.0 ** (len(f"{value:.0f}") - 1) if value >= 1 else 10.0 ** -len(f"{1 / value:.0f}")
    return next(step * power for step in (1, 2, 5, 10, 20, 50, 100) if step * power >= value)
