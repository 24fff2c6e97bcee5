"""What gunicorn serves, as gunicorn calls it."""

from collections.abc import Iterator
from io import BytesIO
from typing import Any
from wsgiref.util import setup_testing_defaults

import pytest
from django.core.signals import request_finished, request_started
from django.db import close_old_connections

from accountsstore import wsgi

pytestmark = pytest.mark.django_db


class Cut(BytesIO):
    def read(self, size: int | None = -1) -> bytes:
        raise ConnectionResetError


@pytest.fixture(autouse=True)
def connection_of_the_test() -> Iterator[None]:
    """A request would close it."""
    for signal in (request_started, request_finished):
        signal.disconnect(close_old_connections)
    yield
    for signal in (request_started, request_finished):
        signal.connect(close_old_connections)


def posted(body: BytesIO, length: int) -> int:
    """The answer's status to a photo from nobody, which the store need not read to refuse it."""
    environ: dict[str, Any] = {
        "REQUEST_METHOD": "POST", "PATH_INFO": "/files/avatar/", "HTTP_HOST": "localhost", "REMOTE_ADDR": "127.0.0.1",
        "CONTENT_TYPE": "image/png", "CONTENT_LENGTH": str(length), "wsgi.input": body,
    }  # fmt: skip
    setup_testing_defaults(environ)
    said: list[str] = []
    answer = wsgi.application(environ, lambda status, headers, *_: said.append(status))
    b"".join(answer)
    answer.close()
    return int(said[0][:3])


def test_what_was_refused_unread_is_taken_off_the_line_before_the_answer_goes_out() -> None:
    body = BytesIO(b"x" * 10_000_000)
    assert posted(body, 10_000_000) == 403
    assert body.read() == b""


def test_a_body_without_an_end_is_left_alone_after_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wsgi, "UNREAD_BYTES", 1_000_000)
    body = BytesIO(b"x" * 10_000_000)
    assert posted(body, 10_000_000) == 403
    assert 1_000_000 <= body.tell() < 1_500_000


def test_a_sender_who_is_gone_leaves_nothing_open() -> None:
    ended: list[object] = []
    request_finished.connect(note := lambda **_: ended.append(1), weak=False)
    try:
        with pytest.raises(ConnectionResetError):
            posted(Cut(), 10_000_000)
    finally:
        request_finished.disconnect(note)
    assert ended == [1]
