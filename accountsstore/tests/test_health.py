import pytest
from django.db import DatabaseError
from django.test import Client

# A port that nothing listens on: connecting is refused at once.
NOBODY = "redis://127.0.0.1:1/0"


def test_a_well_store_says_which_parts_it_asked(client: Client, db: None) -> None:
    answer = client.get("/api/health")
    assert (answer.status_code, answer.json()) == (200, {"status": "ok", "parts": {"database": "ok", "redis": "ok"}})


def test_a_store_without_redis_is_ill_and_says_so_while_the_process_lives(client: Client, db: None, settings) -> None:
    settings.REDIS_URL = NOBODY
    answer = client.get("/api/health")
    assert answer.status_code == 503
    assert answer.json()["parts"] == {"database": "ok", "redis": "ConnectionError"}
    assert client.get("/api/health/live").status_code == 200


def test_a_store_without_its_database_is_ill(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    def away(*args: object, **kwargs: object) -> None:
        raise DatabaseError

    monkeypatch.setattr("accountsstore.models.OutboxEvent.objects.filter", away)
    assert client.get("/api/health").json()["parts"]["database"] == "DatabaseError"


def test_a_probe_needs_no_known_host(client: Client, db: None) -> None:
    assert client.get("/api/health", headers={"host": "10.0.0.7:8000"}).status_code == 200
    assert client.get("/help/", headers={"host": "10.0.0.7:8000"}).status_code == 400
