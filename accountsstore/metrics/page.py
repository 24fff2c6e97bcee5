"""The page that Prometheus reads, and who may."""

import ipaddress
from collections.abc import Iterator

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from prometheus_client import CONTENT_TYPE_LATEST, Metric, generate_latest

from accountsstore.metrics import scrape, values

# What proxies say of whom they speak for. A request with one of these came through one, from wherever.
SPOKEN_FOR = tuple(
    f"HTTP_{name}"
    for name in ("X_FORWARDED_FOR", "FORWARDED", "X_REAL_IP", "X_FORWARDED_PROTO", "X_FORWARDED_HOST", "VIA")
)


class Page:
    """What prometheus_client takes for a registry."""

    def collect(self) -> Iterator[Metric]:
        yield from values.families()
        yield from scrape.families([(scrape.PROCESSES, (name,), count) for name, count in values.living().items()])


def metrics(request: HttpRequest) -> HttpResponse:
    return HttpResponse(generate_latest(Page()), content_type=CONTENT_TYPE_LATEST)


def is_inside(request: HttpRequest) -> bool:
    """Whether the peer of the connection itself is of METRICS_ALLOWED_NETWORKS, and nobody's proxy.

    A forged header can only make it an outsider. A Unix socket has no peer: whoever comes by one is outside.
    """
    if any(name in request.META for name in SPOKEN_FOR):
        return False
    try:
        peer = ipaddress.ip_address(request.META.get("REMOTE_ADDR", ""))
    except ValueError:
        return False
    peer = getattr(peer, "ipv4_mapped", None) or peer
    return any(peer in network for network in settings.METRICS_ALLOWED_NETWORKS)
