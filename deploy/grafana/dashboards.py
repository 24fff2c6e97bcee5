"""The dashboard of the store: `python deploy/grafana/dashboards.py` writes store.json beside this file, which Grafana imports.

`--check` only says whether the file is up to date.
"""

import json
import sys
from pathlib import Path

from grafana_foundation_sdk.builders.dashboard import Dashboard, DatasourceVariable, Row
from grafana_foundation_sdk.builders.prometheus import Dataquery
from grafana_foundation_sdk.builders.timeseries import Panel
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.dashboard import DataSourceRef

FILE = Path(__file__).with_name("store.json")
SOURCE = DataSourceRef(type_val="prometheus", uid="${datasource}")
STAFF = "review_deposit|approve_withdrawal|send_withdrawal|decide_dispute"


def rate(metric: str, by: str = "") -> str:
    return f"sum by ({by}) (rate({metric}[$__rate_interval]))"


def quantile(share: float, metric: str, by: str = "") -> str:
    labels = f"le, {by}" if by else "le"
    return f"histogram_quantile({share}, {rate(f'{metric}_bucket', labels)})"


# Row, then title: unit and {what a line is called: its expression}. What all hosts tell alike is taken once, by max.
PANELS: dict[str, dict[str, tuple[str, dict[str, str]]]] = {
    "Pages": {
        "Requests": ("reqps", {"{{status_code}}": rate("http_request_duration_ms_count", "status_code")}),
        "Time to answer": (
            "ms",
            {
                "p50": quantile(0.5, "http_request_duration_ms"),
                "p95": "store:request_ms:p95_5m",
                "p99": quantile(0.99, "http_request_duration_ms"),
            },
        ),
        "Share of errors": ("percentunit", {"5xx": "store:errors:ratio5m"}),
        "Slowest routes, p95": (
            "ms",
            {"{{route}}": f"topk(10, {quantile(0.95, 'http_request_duration_ms', 'route')})"},
        ),
    },
    "Sockets": {
        "Open": ("short", {"{{instance}}": "sum by (instance) (websocket_connected_clients)"}),
        "Frames": (
            "short",
            {"to clients": rate("websocket_deliveries_total"), "from clients": rate("websocket_messages_total")},
        ),
        "Ends, by reason": ("short", {"{{reason}}": rate("websocket_disconnects_total", "reason")}),
        "Lag of the event loop, p99": ("ms", {"{{instance}}": "store:event_loop_lag_ms:p99_5m"}),
        "Bytes that wait for slow readers": (
            "bytes",
            {"{{instance}}": "sum by (instance) (websocket_send_queue_bytes)"},
        ),
        "Slow readers": ("short", {"{{instance}}": "sum by (instance) (websocket_slow_readers)"}),
        "Refused frames": ("short", {"{{code}}": rate("websocket_refused_frames_total", "code")}),
        "Between the hosts": (
            "short",
            {
                "dropped": rate("channel_layer_dropped_messages_total"),
                "sent again": rate("channel_layer_retried_publishes_total"),
                "repeated": rate("channel_layer_repeated_messages_total"),
                "lost connections": rate("channel_layer_lost_connections_total"),
            },
        ),
    },
    "Jobs and promises": {
        "Jobs that wait": ("short", {"{{queue}}": "max by (queue) (celery_queue_length)"}),
        "How long the next has waited": ("s", {"{{queue}}": "max by (queue) (celery_queue_oldest_seconds)"}),
        "Jobs taken and not finished": ("short", {"jobs": "max(celery_unacknowledged_jobs)"}),
        "Time of a job, p95": ("ms", {"{{task}}": quantile(0.95, "celery_task_duration_ms", "task")}),
        "How late the clock is": ("s", {"{{part}}": "max by (part) (clock_late_seconds)"}),
        "Outboxes": ("short", {"{{outbox}}": "max by (outbox) (outbox_pending)"}),
        "Oldest in an outbox": ("s", {"{{outbox}}": "max by (outbox) (outbox_oldest_seconds)"}),
        "Overdue, of staff": ("short", {"{{kind}}": f'max by (kind) (overdue_deadlines{{kind=~"{STAFF}"}})'}),
        "Overdue, of the clock": (
            "s",
            {"{{kind}}": f'max by (kind) (overdue_deadline_oldest_seconds{{kind!~"{STAFF}"}})'},
        ),
        "Nightly commands, last run": ("s", {"{{command}}": "min by (command) (command_last_run_seconds)"}),
        "Faults in the books": ("short", {"{{command}}": "max by (command) (command_faults)"}),
    },
    "Servers": {
        "Answers": ("short", {"{{server}} from {{instance}}": "server_up"}),
        "Round trip": ("ms", {"{{server}}": "max by (server) (server_round_trip_ms)"}),
        "Slowest collections, p95": (
            "ms",
            {"{{collection}}": f"topk(10, {quantile(0.95, 'mongodb_query_duration_ms', 'collection')})"},
        ),
        "Queries of MongoDB": ("ops", {"{{operation}}": rate("mongodb_query_duration_ms_count", "operation")}),
        "Failed queries": ("short", {"{{operation}}": rate("mongodb_failed_queries_total", "operation")}),
        "Connections": (
            "short",
            {
                "MongoDB, {{state}}": "sum by (state) (mongodb_pool_connections)",
                "Redis, {{state}}": "sum by (state) (redis_pool_connections)",
            },
        ),
        "Memory of Redis": ("bytes", {"{{server}} {{node}}": "max by (server, node) (redis_memory_bytes)"}),
        "Limit of Redis": ("bytes", {"{{server}} {{node}}": "max by (server, node) (redis_memory_limit_bytes)"}),
        "Replicas in service": ("short", {"{{server}}": "store:replicas"}),
        "Replicas behind": ("s", {"{{server}} {{node}}": "max by (server, node) (replica_lag_seconds)"}),
        "Migrations that are missing": ("short", {"migrations": "max(django_migrations_unapplied)"}),
        "Parts of the page that could be read": ("short", {"{{part}}": "min by (part) (metrics_part_up)"}),
    },
    "Hosts": {
        "CPU of a host": (
            "percentunit",
            {"{{instance}}": '1 - avg by (instance) (rate(node_cpu_seconds_total{mode="idle"}[$__rate_interval]))'},
        ),
        "Cores that a program uses": ("short", {"{{program}}": rate("store_cpu_seconds_total", "program")}),
        "Memory of a program": ("bytes", {"{{program}}": "sum by (program) (store_memory_bytes)"}),
        "Processes": ("short", {"{{program}}": "sum by (program) (store_processes)"}),
        "Certificate ends in": ("s", {"{{instance}}": "probe_ssl_earliest_cert_expiry - time()"}),
    },
}


def dashboard() -> str:
    """The text of the file."""
    board = (
        Dashboard("Accounts Store")
        .uid("accounts-store")
        .refresh("30s")
        .time("now-3h", "now")
        .with_variable(DatasourceVariable("datasource").label("Prometheus").type("prometheus"))
    )
    for row, panels in PANELS.items():
        board.with_row(Row(row))
        for title, (unit, lines) in panels.items():
            panel = Panel().title(title).unit(unit).min(0).span(8).height(7).datasource(SOURCE)
            for letter, (name, expression) in zip("ABCDEF", lines.items(), strict=False):
                panel.with_target(Dataquery().ref_id(letter).expr(expression).legend_format(name))
            board.with_panel(panel)
    return json.dumps(board.build(), cls=JSONEncoder, indent=1, sort_keys=True) + "\n"


def main() -> None:
    if sys.argv[1:] == ["--check"]:
        if not FILE.exists() or FILE.read_text() != dashboard():
            sys.exit("Out of date: deploy/grafana/store.json. Run `python deploy/grafana/dashboards.py`.")
    else:
        FILE.write_text(dashboard())


if __name__ == "__main__":
    main()
