"""What the site may and may not do on the servers of `manage.py stack run`, as their configuration in deploy/ says."""

import os
import smtplib
import urllib.parse
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
import redis
from pymongo import MongoClient
from pymongo.errors import OperationFailure
from redis.cluster import ClusterNode, RedisCluster
from redis.sentinel import Sentinel

pytestmark = pytest.mark.production


@pytest.fixture
def mongo() -> Iterator[MongoClient[dict[str, Any]]]:
    with MongoClient(os.environ["DATABASE_URL"], w="majority") as client:
        yield client


@pytest.fixture
def cluster() -> Iterator[RedisCluster]:
    password, hosts = os.environ["REDIS_URL"].removeprefix("redis+cluster://:").split("@")
    with RedisCluster(
        startup_nodes=[ClusterNode(*host.split(":")) for host in hosts.split(",")], password=password
    ) as client:
        yield client


@pytest.fixture
def queue() -> Iterator[redis.Redis]:
    urls = [urllib.parse.urlsplit(url) for url in os.environ["CELERY_BROKER_URL"].split(";")]
    password = {"password": urls[0].password}
    sentinel = Sentinel([(url.hostname, url.port) for url in urls], sentinel_kwargs=password, **password)
    with sentinel.master_for(os.environ["CELERY_SENTINEL_MASTER"]) as client:
        yield client


def test_the_site_writes_its_own_database_in_transactions_with_a_majority(mongo: MongoClient[dict[str, Any]]) -> None:
    collection = mongo.get_default_database()[f"probe_{uuid.uuid4().hex}"]
    with mongo.start_session() as session, session.start_transaction():
        collection.insert_one({"_id": 1}, session=session)
    assert collection.find_one() == {"_id": 1}
    collection.create_index("name", unique=True)
    collection.drop()


def test_the_site_may_not_touch_other_databases_or_the_servers(mongo: MongoClient[dict[str, Any]]) -> None:
    for attempt in (
        lambda: mongo.other.things.insert_one({}),
        lambda: mongo.admin.system.users.find_one(),
        lambda: mongo.admin.command("createUser", "second", pwd="x", roles=["root"]),
        lambda: mongo.admin.command("replSetStepDown", 1),
        lambda: mongo.admin.command("shutdown"),
    ):
        with pytest.raises(OperationFailure) as refused:
            attempt()
        assert refused.value.code == 13  # Unauthorized


def test_without_the_password_mongodb_shows_nothing(mongo: MongoClient[dict[str, Any]]) -> None:
    # None is known before the first answer.
    mongo.admin.command("ping")
    [(host, port), *_] = mongo.nodes
    with MongoClient(host, port, directConnection=True) as stranger, pytest.raises(OperationFailure, match="auth"):
        stranger.accountsstore.accounts_user.find_one()


def test_a_full_cache_evicts_what_has_a_lifetime_and_a_full_queue_refuses(
    cluster: RedisCluster, queue: redis.Redis
) -> None:
    policies = {one["maxmemory-policy"] for one in cluster.config_get("maxmemory-policy", target_nodes="all").values()}
    assert policies == {"volatile-lru"}
    assert queue.config_get("maxmemory-policy", "appendonly", "appendfsync") == {
        "maxmemory-policy": "noeviction",
        "appendonly": "yes",
        "appendfsync": "everysec",
    }


def test_each_shard_takes_keys_and_goes_on_without_the_others(cluster: RedisCluster) -> None:
    keys = [f"probe:{uuid.uuid4().hex}" for _ in range(30)]
    for key in keys:
        cluster.set(key, key, ex=60)
    assert [cluster.get(key) for key in keys] == [key.encode() for key in keys]
    assert len({cluster.get_node_from_key(key).name for key in keys}) == 3
    assert set(cluster.config_get("cluster-require-full-coverage", target_nodes="all").popitem()[1].values()) == {"no"}


def test_a_job_reaches_the_replica(queue: redis.Redis) -> None:
    key = f"probe:{uuid.uuid4().hex}"
    queue.set(key, "job", ex=60)
    assert queue.wait(1, 5000) == 1


def test_the_bucket_is_there_and_private() -> None:
    client = boto3.client(
        "s3",
        endpoint_url=os.environ["S3_ENDPOINT_URL"],
        region_name=os.environ["S3_REGION"],
        aws_access_key_id=os.environ["S3_ACCESS_KEY_ID"],
        aws_secret_access_key=os.environ["S3_SECRET_ACCESS_KEY"],
    )
    bucket = os.environ["S3_BUCKET"]
    assert all(client.get_public_access_block(Bucket=bucket)["PublicAccessBlockConfiguration"].values())
    grants = client.get_bucket_acl(Bucket=bucket)["Grants"]
    assert not any("AllUsers" in grant["Grantee"].get("URI", "") for grant in grants)


def test_a_mail_becomes_a_file() -> None:
    subject = uuid.uuid4().hex
    url = urllib.parse.urlsplit(os.environ["EMAIL_URL"])
    with smtplib.SMTP(url.hostname or "", url.port or 0) as client:
        client.sendmail("store@example.com", ["amal@example.com"], f"Subject: {subject}\r\n\r\nHello.")
    assert any(subject in path.read_text() for path in (Path(os.environ["DEV_MAILBOX"]) / "new").iterdir())
