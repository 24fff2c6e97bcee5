import pytest
from django.test import Client

from accountsstore.servers import masked, require_servers

# Ports that nothing listens on: connecting is refused at once.
NOBODY = "redis://:secret@127.0.0.1:1/0"
NO_SENTINEL = "sentinel://:secret@127.0.0.1:1;sentinel://:secret@127.0.0.1:2"


@pytest.mark.stack
def test_a_well_store_says_which_parts_it_asked(client: Client, db: None) -> None:
    answer = client.get("/api/health")
    parts = dict.fromkeys(("database", "redis", "jobs", "files"), "ok")
    assert (answer.status_code, answer.json()) == (200, {"status": "ok", "parts": parts})


def test_a_store_without_redis_is_ill_and_says_so_while_the_process_lives(client: Client, db: None, settings) -> None:
    settings.REDIS_URL = NOBODY
    answer = client.get("/api/health")
    assert answer.status_code == 503
    assert answer.json()["status"] == "ill"
    assert answer.json()["parts"] | {"files": "ok"} == {
        "database": "ok",
        "redis": "ConnectionError",
        "jobs": "ok",
        "files": "ok",
    }
    assert client.get("/api/health/live").status_code == 200


def test_a_probe_needs_no_known_host(client: Client, db: None) -> None:
    assert client.get("/api/health", headers={"host": "10.0.0.7:8000"}).status_code == 200
    assert client.get("/help/", headers={"host": "10.0.0.7:8000"}).status_code == 400


@pytest.mark.parametrize(
    ("variable", "value", "sentence"),
    [
        ("REDIS_URL", NOBODY, "Redis does not answer: REDIS_URL=redis://:***@127.0.0.1:1/0 (ConnectionError)."),
        (
            "CELERY_BROKER_URL",
            NOBODY,
            "The job queue does not answer: CELERY_BROKER_URL=redis://:***@127.0.0.1:1/0 (ConnectionError).",
        ),
    ],
)
def test_a_program_that_cannot_reach_a_server_ends_with_one_sentence(db, settings, variable, value, sentence) -> None:
    setattr(settings, variable, value)
    with pytest.raises(SystemExit) as end:
        require_servers()
    assert end.value.code == sentence


def test_sentinels_that_do_not_answer_are_named_without_their_password(db, settings) -> None:
    settings.CELERY_BROKER_URL = NO_SENTINEL
    settings.CELERY_BROKER_TRANSPORT_OPTIONS = {"master_name": "jobs", "sentinel_kwargs": {"password": "secret"}}
    with pytest.raises(SystemExit) as end:
        require_servers()
    where = "sentinel://:***@127.0.0.1:1;sentinel://:***@127.0.0.1:2"
    assert end.value.code == f"The job queue does not answer: CELERY_BROKER_URL={where} (MasterNotFoundError)."


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("redis://127.0.0.1:6379/0", "redis://127.0.0.1:6379/0"),
        ("redis+cluster://:p@a:1,b:2", "redis+cluster://:***@a:1,b:2"),
        ("mongodb://shop:p@ss:w@a:1,b:2/store?replicaSet=rs0", "mongodb://shop:***@a:1,b:2/store?replicaSet=rs0"),
        ("mongodb://shop:p/w@a/store", "mongodb://shop:***@a/store"),
        ("sqlite:////srv/store.sqlite3", "sqlite:////srv/store.sqlite3"),
    ],
)
def test_an_address_is_shown_without_its_password(address: str, shown: str) -> None:
    assert masked(address) == shown
