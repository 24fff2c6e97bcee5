"""Errors to Sentry (SENTRY_DSN), traces to OpenTelemetry (OTEL_EXPORTER_OTLP_ENDPOINT). Where a setting is empty, its
library is not imported.

What leaves the store is chosen, not filtered: names of our own code, routes, ids, durations. What an exception says stays
in the log, under the same request id: it may quote what people wrote. docs/operations/tracing.md lists all of it.
"""

import logging
import re
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.conf import settings
from django.http import HttpRequest

from accountsstore import logs, served
from accountsstore.faults import server_away

# Of an event as Sentry's library makes it, and of each frame of its stack. The lines of code are ours or a library's.
_EVENT = ("event_id", "timestamp", "level", "platform", "logger", "release", "environment", "server_name", "sdk")
_FRAME = ("filename", "module", "function", "lineno", "in_app", "pre_context", "context_line", "post_context")
# An id, a number, a name: no sentence and no address.
_ID = re.compile(r"[\w.:/-]{1,120}")
# A stranger with a wrong Host causes the first; the others would report that reports do not arrive.
_NOT_REPORTED = ("django.security.*", "opentelemetry.*", "sentry_sdk.*")

# A program that ends waits this long for a collector that is away: with the drain, less than systemd gives it.
EXPORT_SECONDS = 2

# What makes spans; None where traces are off.
_tracer: Any = None


def start() -> None:
    """Do what the settings say. Each program calls it once. Ends it with a sentence where a package is missing or an
    address is none."""
    for setting, begin in (("SENTRY_DSN", _start_errors), ("OTEL_EXPORTER_OTLP_ENDPOINT", _start_traces)):
        if getattr(settings, setting):
            try:
                begin()
            except ImportError as error:
                sys.exit(
                    f"{setting} is set, but the package {error.name} is not installed. Install "
                    f"requirements/production.txt, or take {setting} away."
                )


def _start_errors() -> None:
    import sentry_sdk
    from sentry_sdk.integrations.atexit import AtexitIntegration
    from sentry_sdk.integrations.dedupe import DedupeIntegration
    from sentry_sdk.integrations.excepthook import ExcepthookIntegration
    from sentry_sdk.integrations.logging import LoggingIntegration, ignore_logger
    from sentry_sdk.utils import BadDsn

    for name in _NOT_REPORTED:
        ignore_logger(name)
    try:
        sentry_sdk.init(
            dsn=settings.SENTRY_DSN,
            # Whatever fails in a page, a job or a frame is logged as an error: nothing else needs to be patched.
            default_integrations=False,
            auto_enabling_integrations=False,
            integrations=[
                LoggingIntegration(level=None, event_level=logging.ERROR, sentry_logs_level=None),
                AtexitIntegration(callback=lambda pending, timeout: None),
                DedupeIntegration(),
                ExcepthookIntegration(),
            ],
            include_local_variables=False,
            max_breadcrumbs=0,
            before_send=chosen,  # type: ignore[arg-type]
        )
    except BadDsn as error:
        sys.exit(f"SENTRY_DSN is no address of Sentry: {error}.")


def _start_traces() -> None:
    global _tracer
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor
    from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased

    if not 0 <= settings.OTEL_TRACES_SAMPLER_ARG <= 1:
        sys.exit(f"OTEL_TRACES_SAMPLER_ARG is {settings.OTEL_TRACES_SAMPLER_ARG}; it is a share, from 0 to 1.")
    if not settings.OTEL_EXPORTER_OTLP_ENDPOINT.startswith(("http://", "https://")):
        sys.exit("OTEL_EXPORTER_OTLP_ENDPOINT is no address such as http://10.0.0.9:4318.")
    provider = TracerProvider(
        resource=Resource.create({"service.name": "accounts-store"}),
        sampler=ParentBased(TraceIdRatioBased(settings.OTEL_TRACES_SAMPLER_ARG)),
    )
    exporter = OTLPSpanExporter(f"{settings.OTEL_EXPORTER_OTLP_ENDPOINT}/v1/traces", timeout=EXPORT_SECONDS)
    provider.add_span_processor(BatchSpanProcessor(exporter))
    _tracer = provider.get_tracer("accountsstore")


def chosen(event: dict[str, Any], hint: dict[str, Any]) -> dict[str, Any]:
    """The event that is sent in the place of the one that Sentry's library made."""
    extra = event.get("extra") or {}
    ids = served.ids()
    away = server_away((hint.get("exc_info") or (None, None))[1])
    sent: dict[str, Any] = {name: event[name] for name in _EVENT if name in event} | {
        "transaction": served.work(),
        "user": {"id": ids.get("user_id", "")},
        "tags": {name: ids[name] for name in ("request_id",) if name in ids} | ({"server_away": away} if away else {}),
        "extra": {name: value for name, value in extra.items() if _is_harmless(name, value)},
    }
    # Our own sentences are fixed; a library's may have a value in them already.
    if (settings.BASE_DIR / str(event.get("logger", "")).split(".")[0]).is_dir():
        sent["logentry"] = {"message": (event.get("logentry") or {}).get("message", "")}
    if "exception" in event:
        sent["exception"] = {"values": [_fault(one) for one in event["exception"].get("values", ())]}
    return sent


def _fault(exception: dict[str, Any]) -> dict[str, Any]:
    frames = (exception.get("stacktrace") or {}).get("frames", ())
    return {name: exception[name] for name in ("type", "module") if name in exception} | {
        "stacktrace": {"frames": [{name: frame[name] for name in _FRAME if name in frame} for frame in frames]}
    }


def _is_harmless(name: str, value: object) -> bool:
    if logs.SECRET_NAMES.search(name):
        return False
    return isinstance(value, int | float) or (isinstance(value, str) and bool(_ID.fullmatch(value)))


@contextmanager
def span(kind: str, headers: dict[str, str] | None = None) -> Iterator[None]:
    """Time what is done in the block, as `served` names it at its end. `kind` is SERVER or CONSUMER; `headers` is what
    `carried()` gave to the one who asked for it, without which a trace begins here."""
    if _tracer is None:
        yield
        return
    from opentelemetry.context import Context
    from opentelemetry.trace import SpanKind
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

    context = TraceContextTextMapPropagator().extract(headers or {}, Context())
    # An exception would be recorded with what it says.
    with _tracer.start_as_current_span(
        kind, context, SpanKind[kind], record_exception=False, set_status_on_exception=False
    ) as current:
        try:
            yield
        except Exception as error:
            failed(type(error).__name__)
            raise
        finally:
            if current.is_recording():
                current.update_name(served.work())
                current.set_attributes({f"store.{name}": value for name, value in served.ids().items()})


def failed(error: str) -> None:
    """Mark the span at work as failed; `error` is the name of a class or a status."""
    if _tracer is None:
        return
    from opentelemetry.trace import StatusCode, get_current_span

    get_current_span().set_status(StatusCode.ERROR)
    get_current_span().set_attribute("error.type", error)


def answered(request: HttpRequest, status: int) -> None:
    """Note the answer to a request in its span."""
    if _tracer is None:
        return
    from opentelemetry.trace import get_current_span

    get_current_span().set_attributes(
        {
            "http.request.method": served.method(request),
            "http.route": served.route(request),
            "http.response.status_code": status,
        }
    )
    if status >= 500:
        failed(str(status))


def passed(name: str, micros: int, **attributes: str) -> None:
    """Note what has just ended, within the span at work; its attributes are written `db_operation` for `db.operation`."""
    if _tracer is None:
        return
    from opentelemetry.trace import get_current_span

    if get_current_span().is_recording():
        end = time.time_ns()
        named = {key.replace("_", "."): value for key, value in attributes.items()}
        _tracer.start_span(name, attributes=named, start_time=end - micros * 1000).end(end)


def carried() -> dict[str, str]:
    """What a job takes with it, so that its span belongs to the trace of whoever queued it."""
    headers: dict[str, str] = {}
    if _tracer is not None:
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

        TraceContextTextMapPropagator().inject(headers)
    return headers
