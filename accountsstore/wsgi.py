"""Pages, admin and API in production (gunicorn): 0.9 ms CPU for a small page against 7.8 under ASGI."""

import os
from collections.abc import Iterable
from typing import Any

from django.core.wsgi import get_wsgi_application

from accountsstore.metrics import share

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "accountsstore.settings")

UNREAD_BYTES = 128 * 1024 * 1024
"""Above the largest body that nginx lets through (deploy/nginx/nginx.conf)."""
_CHUNK_BYTES = 256 * 1024

_store = get_wsgi_application()
share("pages")


def application(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    """The store. What it has refused unread is read before it answers: gunicorn would cut the connection while nginx still
    sends, and nginx would say that the store is away."""
    answer = _store(environ, start_response)
    unread = 0
    try:
        while unread < UNREAD_BYTES and (chunk := environ["wsgi.input"].read(_CHUNK_BYTES)):
            unread += len(chunk)
    except BaseException:
        # Whoever sent it is gone. The store still puts away what it used.
        answer.close()
        raise
    return answer
