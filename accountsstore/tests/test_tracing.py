"""What leaves the store for Sentry and for an OpenTelemetry collector, as a receiver gets it; and what the log says."""

import datetime
import gzip
import json
import logging
import subprocess
import sys
import threading
import uuid
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import brotli
import pytest
import sentry_sdk
from celery.app.trace import build_tracer
from django.conf import settings as store_settings
from django.http import HttpRequest, HttpResponse
from django.test import Client
from django.urls import path
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status
from pymongo.monitoring import CommandStartedEvent, CommandSucceededEvent
from pytest_django import Settings

from accounts.models import User
from accountsstore import logs, served, tracing
from accountsstore.celery import app
from accountsstore.mongo.listeners import QueryTimes
from accountsstore.servers import queue_client
from accountsstore.tasks import mail_send
from accountsstore.urls import urlpatterns as store_urls
from chat import socket_work
from chat.models import Conversation
from chat.services.conversations import conversation_for_order
from chat.tests.factories import OrderFactory
from chat.tests.tabs import Tab

REQUEST_ID = "5f0c1a8de2b94c7f9a3b1c2d4e5f6071"
# Nothing of this may leave: what people type, who they are, what lets them in.
PRIVATE = ["amal@mail.example", "hunter2", "the code is 4711", "topsecret"]


def fault(request: HttpRequest, what: str) -> HttpResponse:
    assert request.user.is_authenticated
    typed = request.POST["body"]
    raise ValueError(f"{what}: {typed} of {request.user.email}")


def queues_a_mail(request: HttpRequest, what: str) -> HttpResponse:
    assert request.user.is_authenticated
    mail_send.delay(uuid.UUID(int=7).hex)
    return HttpResponse(what)


urlpatterns = [*store_urls, path("fault/<str:what>/", fault), path("well/<str:what>/", queues_a_mail)]
pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.urls(__name__)]


class Receiver(ThreadingHTTPServer):
    """Takes what Sentry's library and the exporter of traces send, and keeps it."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Taking)
        self.envelopes: list[bytes] = []
        self.traces: list[bytes] = []

    def events(self) -> list[dict[str, Any]]:
        sentry_sdk.flush(10)
        lines = [line for envelope in self.envelopes for line in envelope.splitlines()]
        return [event for event in map(json.loads, filter(None, lines)) if "level" in event]

    def spans(self) -> list[Span]:
        tracing._tracer.span_processor.force_flush()
        requests = [ExportTraceServiceRequest.FromString(body) for body in self.traces]
        return [
            span
            for request in requests
            for resource in request.resource_spans
            for scope in resource.scope_spans
            for span in scope.spans
        ]


class Taking(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        opened = {"gzip": gzip.decompress, "br": brotli.decompress}.get(self.headers["Content-Encoding"], bytes)(body)
        (self.server.traces if self.path == "/v1/traces" else self.server.envelopes).append(opened)
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, *args: object) -> None: ...


@pytest.fixture
def started(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[int], None]]:
    """Call it with the port of a receiver: both are on, and off again after the test."""
    monkeypatch.setattr(tracing, "_tracer", None)

    def start(port: int, share: float = 1) -> None:
        settings.SENTRY_DSN = f"http://public@127.0.0.1:{port}/1"
        settings.OTEL_EXPORTER_OTLP_ENDPOINT = f"http://127.0.0.1:{port}"
        settings.OTEL_TRACES_SAMPLER_ARG = share
        tracing.start()

    yield start
    sentry_sdk.get_client().close(timeout=0)
    # Its default integrations would patch Django and Celery for all tests to come.
    sentry_sdk.init(default_integrations=False, auto_enabling_integrations=False)
    served.begin(served.NOBODY)


@pytest.fixture
def receiver(started: Callable[[int], None]) -> Iterator[Receiver]:
    with Receiver() as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        started(server.server_port)
        yield server
        tracing._tracer.span_processor.shutdown()
        server.shutdown()


@pytest.fixture
def client(buyer: User) -> Client:
    """Somebody signed in, whom nginx sent."""
    User.objects.filter(pk=buyer.pk).update(email=PRIVATE[0])
    client = Client(raise_request_exception=False, headers={"X-Request-ID": REQUEST_ID, "Authorization": PRIVATE[3]})
    client.force_login(buyer)
    return client


def attributes(span: Span) -> dict[str, Any]:
    return {one.key: one.value.string_value or one.value.int_value for one in span.attributes}


def failing_post(client: Client) -> HttpResponse:
    return client.post(f"/fault/{PRIVATE[1]}/?next={PRIVATE[3]}", {"body": PRIVATE[2], "password": PRIVATE[1]})


def test_an_error_in_a_page_is_reported_with_its_ids_and_nothing_that_people_wrote(
    client: Client, buyer: User, receiver: Receiver
) -> None:
    assert failing_post(client).status_code == 500
    [event] = receiver.events()
    assert event["transaction"] == "POST /fault/<str:what>/"
    assert (event["user"], event["tags"]) == ({"id": buyer.pk.hex}, {"request_id": REQUEST_ID})
    [error] = event["exception"]["values"]
    assert error["type"] == "ValueError"
    assert (last := error["stacktrace"]["frames"][-1])["function"] == "fault"
    assert "raise ValueError" in last["context_line"]
    everything = b"".join(receiver.envelopes).decode()
    session = client.cookies[store_settings.SESSION_COOKIE_NAME].value
    for private in [*PRIVATE, session, store_settings.SECRET_KEY, buyer.username]:
        assert private not in everything


def test_a_page_is_traced_by_its_route_not_by_its_address(client: Client, buyer: User, receiver: Receiver) -> None:
    failing_post(client)
    [span] = [one for one in receiver.spans() if one.kind == Span.SPAN_KIND_SERVER]
    assert span.name == "POST /fault/<str:what>/"
    assert span.status.code == Status.STATUS_CODE_ERROR
    assert attributes(span) == {
        "http.request.method": "POST",
        "http.route": "/fault/<str:what>/",
        "http.response.status_code": 500,
        "error.type": "500",
        "store.request_id": REQUEST_ID,
        "store.user_id": buyer.pk.hex,
    }
    assert not span.events
    for private in PRIVATE:
        assert private.encode() not in b"".join(receiver.traces)


def job_run() -> dict[str, Any]:
    """Take the mail's job off the queue and do it as a worker does. Its headers."""
    with queue_client() as queue:
        message = json.loads(queue.lpop("mail"))
    build_tracer(mail_send.name, mail_send, app=app)(
        message["headers"]["id"], [uuid.UUID(int=7).hex], {}, request=message["headers"]
    )
    return dict(message["headers"])


@pytest.fixture
def queue() -> Iterator[None]:
    with queue_client() as queue:
        queue.delete("mail")
        yield
        queue.delete("mail")


def test_a_job_belongs_to_the_trace_of_the_request_that_queued_it(
    client: Client, buyer: User, receiver: Receiver, queue: None
) -> None:
    assert client.get("/well/done/").status_code == 200
    job_run()
    spans = {span.name: span for span in receiver.spans()}
    page, job = spans["GET /well/<str:what>/"], spans["accountsstore.tasks.mail_send"]
    assert (job.trace_id, job.parent_span_id) == (page.trace_id, page.span_id)
    assert attributes(job) == {"store.request_id": REQUEST_ID, "store.user_id": buyer.pk.hex}
    assert served.ids() == {}


def test_a_job_that_fails_is_reported_under_the_request_that_queued_it(
    client: Client, buyer: User, receiver: Receiver, queue: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(mail_id: str) -> None:
        raise ValueError(PRIVATE[0])

    client.get("/well/done/")
    monkeypatch.setattr("accountsstore.outbox.mail_send_now", failing)
    job_run()
    [event] = receiver.events()
    assert event["transaction"] == "accountsstore.tasks.mail_send"
    assert (event["user"]["id"], event["tags"]["request_id"]) == (buyer.pk.hex, REQUEST_ID)
    assert [error["type"] for error in event["exception"]["values"]] == ["ValueError"]
    assert PRIVATE[0].encode() not in b"".join(receiver.envelopes)
    job = next(span for span in receiver.spans() if span.name == "accountsstore.tasks.mail_send")
    assert job.status.code == Status.STATUS_CODE_ERROR


@pytest.fixture
def talk(buyer: User, seller: User) -> Conversation:
    return conversation_for_order(order=OrderFactory(buyer=buyer, seller=seller))


async def test_a_frame_is_traced_by_its_kind_without_a_word_of_it(
    buyer: User, talk: Conversation, receiver: Receiver
) -> None:
    async with Tab(buyer) as tab:
        await tab.say("message.send", conversation=talk.pk.hex, client_id=uuid.uuid4().hex, body=PRIVATE[2])
        await tab.expect("message.ack")
    [span] = [one for one in receiver.spans() if one.name == "MessageSend"]
    assert attributes(span) == {"store.user_id": buyer.pk.hex}
    assert PRIVATE[2].encode() not in b"".join(receiver.traces)


async def test_a_frame_that_fails_is_reported_without_a_word_of_it(
    buyer: User, talk: Conversation, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(user: User, frame: Any) -> None:
        raise ValueError(frame.body)

    monkeypatch.setattr(socket_work, "_send", failing)
    async with Tab(buyer) as tab:
        await tab.say("message.send", conversation=talk.pk.hex, client_id=uuid.uuid4().hex, body=PRIVATE[2])
        await tab.expect("error", code="failed")
    [event] = receiver.events()
    assert (event["transaction"], event["user"]["id"]) == ("MessageSend", buyer.pk.hex)
    assert event["logentry"]["message"] == "a frame failed"
    assert PRIVATE[2].encode() not in b"".join(receiver.envelopes)
    [span] = [one for one in receiver.spans() if one.name == "MessageSend"]
    assert attributes(span)["error.type"] == "ValueError"


def test_a_command_to_mongodb_is_a_span_within_without_what_was_asked(receiver: Receiver) -> None:
    listener = QueryTimes()
    command = {"find": "accounts_user", "filter": {"email": PRIVATE[0]}, "$db": "store"}
    with served.serving(served.Served(work="page")), tracing.span("SERVER"):
        listener.started(CommandStartedEvent(command, "store", 7, ("127.0.0.1", 27017), None))
        done = datetime.timedelta(milliseconds=3)
        listener.succeeded(CommandSucceededEvent(done, {"cursor": PRIVATE[2]}, "find", 7, ("127.0.0.1", 27017), None))
    spans = {span.name: span for span in receiver.spans()}
    find = spans["find accounts_user"]
    assert find.parent_span_id == spans["page"].span_id
    assert find.end_time_unix_nano - find.start_time_unix_nano == 3_000_000
    assert attributes(find) == {"db.collection.name": "accounts_user", "db.operation.name": "find"}
    for private in PRIVATE:
        assert private.encode() not in b"".join(receiver.traces)


def test_a_stranger_does_not_decide_what_is_traced(
    client: Client, started: Callable[..., None], receiver: Receiver
) -> None:
    started(receiver.server_port, share=0)
    client.get("/well/done/", headers={"traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"})
    assert receiver.spans() == []


def test_a_receiver_that_is_away_keeps_nobody_waiting(
    client: Client, started: Callable[[int], None], caplog: pytest.LogCaptureFixture
) -> None:
    with Receiver() as gone:
        port = gone.server_port
    started(port)
    assert failing_post(client).status_code == 500
    assert client.get("/api/health/live").status_code == 200


def test_a_library_that_is_missing_is_one_sentence(
    started: Callable[[int], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "sentry_sdk", None)
    with pytest.raises(SystemExit, match=r"^SENTRY_DSN is set, but the package sentry_sdk is not installed\. Install"):
        started(1)
    monkeypatch.undo()
    monkeypatch.setitem(sys.modules, "opentelemetry.exporter.otlp.proto.http.trace_exporter", None)
    with pytest.raises(SystemExit, match=r"^OTEL_EXPORTER_OTLP_ENDPOINT is set, but the package opentelemetry"):
        started(1)


@pytest.mark.parametrize(
    ("setting", "value", "sentence"),
    [
        ("SENTRY_DSN", "sentry.example", "SENTRY_DSN is no address of Sentry"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "collector:4318", "OTEL_EXPORTER_OTLP_ENDPOINT is no address such as"),
    ],
)
def test_an_address_that_is_none_is_one_sentence(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, setting: str, value: str, sentence: str
) -> None:
    monkeypatch.setattr(tracing, "_tracer", None)
    setattr(settings, setting, value)
    with pytest.raises(SystemExit, match=sentence):
        tracing.start()


def test_a_share_of_more_than_everything_is_one_sentence(started: Callable[..., None]) -> None:
    with pytest.raises(SystemExit, match=r"^OTEL_TRACES_SAMPLER_ARG is 5; it is a share, from 0 to 1\.$"):
        started(1, share=5)


def test_without_the_settings_neither_library_is_imported() -> None:
    # redis-py imports OpenTelemetry's metrics wherever they are installed.
    program = (
        "import sys, django; sys.modules['pytest'] = django; django.setup(); import accountsstore.middleware; "
        "print({'sentry_sdk', 'opentelemetry.exporter', 'opentelemetry.sdk.trace'} & sys.modules.keys())"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=store_settings.BASE_DIR, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout == "set()\n"


# ---------------------------------------------------------------- the log


def logged(record: logging.LogRecord) -> dict[str, Any]:
    return dict(json.loads(logs.JsonFormatter().format(record)))


def test_a_line_of_the_log_says_whose_request_it_was(
    client: Client, buyer: User, caplog: pytest.LogCaptureFixture
) -> None:
    lines: list[dict[str, Any]] = []
    caplog.handler.emit = lambda record: lines.append(logged(record))  # type: ignore[method-assign]
    client.get("/account/me-not/")
    failing_post(client)
    assert {line["message"].split(":")[0] for line in lines} >= {"Not Found", "Internal Server Error"}
    assert {line["request_id"] for line in lines} == {REQUEST_ID}
    assert next(line for line in lines if line["message"].startswith("Internal"))["user_id"] == buyer.pk.hex
    assert PRIVATE[0] not in json.dumps(lines)


def test_an_id_that_is_none_is_not_taken(client: Client) -> None:
    client.get("/well/done/", headers={"X-Request-ID": "a b\n"})
    assert served.request_id_of(served.ids().get("request_id", "")) == served.ids().get("request_id", "")


def test_a_line_of_the_log_has_no_address_of_a_person_and_no_password() -> None:
    record = logging.makeLogRecord(
        {
            "msg": "refused by %s", "args": ("smtp+tls://store:hunter2@mail.example:587",),
            "error": "550 amal@mail.example unknown", "api_key": "topsecret", "mail_id": "7f", "password": "x y",
        }
    )  # fmt: skip
    line = logged(record)
    assert line["message"] == "refused by smtp+tls://store:***@mail.example:587"
    assert (line["error"], line["api_key"], line["mail_id"]) == ("550 *** unknown", "***", "7f")
    for private in PRIVATE:
        assert private not in json.dumps(line) + logs.PlainFormatter().format(record)
