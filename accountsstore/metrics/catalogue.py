"""What is counted on the ground floor, and for every metric of the store what to do about it."""

from prometheus_client import Counter, Gauge, Histogram

# The source design's buckets, with one more for what is slower than all of them.
HTTP = Histogram(
    "http_request_duration_ms",
    "How long requests took, until the answer began",
    ["method", "route", "status_code"],
    buckets=[10, 50, 100, 200, 300, 500, 1000, 2000, 5000],
)
MONGO = Histogram(
    "mongodb_query_duration_ms",
    "How long commands to MongoDB took",
    ["collection", "operation"],
    buckets=[5, 10, 25, 50, 100, 250, 500, 1000],
)
MONGO_FAILED = Counter("mongodb_failed_queries", "Commands that MongoDB refused or did not answer", ["operation"])
MONGO_POOL = Gauge(
    "mongodb_pool_connections",
    "Connections to MongoDB: open, and of these in use",
    ["state"],
    multiprocess_mode="livesum",
)
REDIS_POOL = Gauge(
    "redis_pool_connections",
    "Connections of pages and jobs to Redis: open, and of these in use",
    ["state"],
    multiprocess_mode="livesum",
)

SOCKETS_OPEN = Gauge("websocket_connected_clients", "Sockets that are open", multiprocess_mode="livesum")
SOCKET_MESSAGES = Counter("websocket_messages", "Frames that clients sent")
SOCKET_DELIVERIES = Counter("websocket_deliveries", "Frames that were written to clients")
SOCKET_REFUSED = Counter("websocket_refused_frames", "Frames that were answered with an error, and which", ["code"])
DISCONNECTS = Counter(
    "websocket_disconnects", "Sockets that ended, and why; `gone`: the client or the network", ["reason"]
)
WAITING_BYTES = Gauge(
    "websocket_send_queue_bytes", "Bytes that wait for sockets that read slowly", multiprocess_mode="livesum"
)
WAITING_SOCKETS = Gauge(
    "websocket_slow_readers", "Sockets that read more slowly than is written to them", multiprocess_mode="livesum"
)
LOOP_LAG = Histogram(
    "event_loop_lag_ms",
    "How much later than asked for the event loop of a site process did something, four times a second",
    buckets=[1, 5, 10, 25, 50, 100, 250, 500, 1000, 2500],
)

JOBS = Histogram(
    "celery_task_duration_ms",
    "How long jobs took",
    ["task", "state"],
    buckets=[10, 50, 100, 500, 1000, 5000, 30_000, 120_000],
)
CPU = Counter("store_cpu_seconds", "CPU time that the store's processes used", ["program"])
MEMORY = Gauge(
    "store_memory_bytes",
    "Memory that the store's processes hold, shared pages in each",
    ["program"],
    multiprocess_mode="livesum",
)

COUNTED = (
    HTTP, MONGO, MONGO_FAILED, MONGO_POOL, REDIS_POOL, SOCKETS_OPEN, SOCKET_MESSAGES, SOCKET_DELIVERIES, SOCKET_REFUSED,
    DISCONNECTS, WAITING_BYTES, WAITING_SOCKETS, LOOP_LAG, JOBS, CPU, MEMORY,
)  # fmt: skip

# What to do when it is high; a test holds the names to what `/metrics` shows.
ADVICE = {
    "http_request_duration_ms": (
        "Which route? Compare with `mongodb_query_duration_ms`, then with CPU: more gunicorn workers or hosts. Many 5xx: "
        "the log names the error."
    ),
    "mongodb_query_duration_ms": (
        "One collection: look for a scan with the profiler ([mongodb.md](mongodb.md)). All of them: the server's disk, "
        "memory or CPU."
    ),
    "mongodb_failed_queries": "An election passes within seconds. Else the log says what was refused.",
    "mongodb_pool_connections": (
        "`in_use` near `open` near maxPoolSize (150 a process): slow queries hold connections; look there first."
    ),
    "redis_pool_connections": "`in_use` stays high: Redis answers slowly, see `server_round_trip_ms`.",
    "websocket_connected_clients": "Above 10,000 for each core of the hosts for sockets: add processes or hosts.",
    "websocket_messages": (
        "Much more than usual from as many clients: somebody's script; `websocket_refused_frames` and the limits at nginx"
        " say whether it is held off."
    ),
    "websocket_deliveries": "This is what costs CPU. Above 10,000 a second and core: add processes or hosts.",
    "websocket_refused_frames": "A client with a fault, or somebody who tries things out. They are sent away by themselves.",
    "websocket_disconnects": (
        "`gone` in one jump: the network or nginx. `too_slow`: see `websocket_send_queue_bytes`. `misbehaved`: see "
        "`websocket_refused_frames`. `try_later`: a server is away, see `server_up`."
    ),
    "websocket_send_queue_bytes": (
        "Many slow readers at once: the network out of the host is full. One: it is closed at 1 MB by itself."
    ),
    "websocket_slow_readers": "As `websocket_send_queue_bytes`.",
    "event_loop_lag_ms": (
        "Above 100 ms the process has more to do than its core can: fewer sockets for each, more processes. With little "
        "CPU used, something blocks the loop."
    ),
    "channel_layer_dropped_messages": (
        "A consumer of another kind than the store's socket does not read; clients resume from the database."
    ),
    "channel_layer_retried_publishes": "Redis was away or slots moved; see `server_up`.",
    "channel_layer_repeated_messages": "Follows retried publishes; harmless.",
    "channel_layer_lost_connections": "A node of Redis died or the network did; clients are told to resume.",
    "celery_task_duration_ms": "Which task? Mails: the mail server. Others: as for requests.",
    "celery_queue_length": "More jobs come than are done: start workers for this queue.",
    "celery_queue_oldest_seconds": "As `celery_queue_length`; if no worker runs, start one.",
    "celery_unacknowledged_jobs": (
        "More than the workers have threads: workers were killed; their jobs come back after ten minutes."
    ),
    "clock_late_seconds": (
        "Nobody ticks, or ticks wait: is beat (or `run_clock --loop`) running, and a worker for the queue `money`?"
    ),
    "outbox_pending": (
        "Redis or the queue is away, or no worker runs. Nothing is lost: rows are sent when they are back. Counted up to "
        "1,000."
    ),
    "outbox_oldest_seconds": "As `outbox_pending`. Mails: the mail server refuses; each row's `last_error` says how.",
    "overdue_deadlines": (
        "Kinds of staff (`review_deposit`, `approve_withdrawal`, `send_withdrawal`, `decide_dispute`): people are behind."
        " Others: the clock is, or the log says why an order fails. Counted up to 1,000."
    ),
    "overdue_deadline_oldest_seconds": "As `overdue_deadlines`.",
    "command_last_run_seconds": "The timer that runs it does not, or it fails: run it by hand and read what it says.",
    "command_faults": "Of `verify_ledger`: money is wrong somewhere. Run it again; it names the rows.",
    "replicas_in_service": "Fewer than there were: a node ended, or cannot reach its master.",
    "replica_lag_seconds": "The replica's disk, CPU or network is too slow for what is written, or it copies everything anew.",
    "redis_memory_bytes": (
        "Near its limit Redis throws away what has a lifetime (cache, presence), and the queue refuses jobs: find what "
        "grows, then raise the limit or add shards."
    ),
    "redis_memory_limit_bytes": "It is what was configured.",
    "django_migrations_unapplied": "The code is newer than the database: run `manage.py migrate`.",
    "server_up": "0: the store cannot reach it from this host; `manage.py preflight` says why.",
    "server_round_trip_ms": "The server or the network to it is slow.",
    "metrics_part_up": "0: this part of the page could not be read within 1.5 s; what it shows is missing.",
    "store_processes": "Fewer than were started: the service manager's log says why one ended.",
    "store_cpu_seconds": "Near 1 a second and process: that process is at its limit, see the program's other metrics.",
    "store_memory_bytes": "Growth without end: restart the process, keep its metrics, and report it.",
}
