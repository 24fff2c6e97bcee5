"""The cluster and the queue: slots, what happens when memory is full, who takes over."""

import time
from collections.abc import Iterator
from typing import Any

from django.conf import settings
from redis.cluster import RedisCluster

from accountsstore.doctor.mongo import SKEW_SECONDS, TOO_MUCH_SKEW_SECONDS
from accountsstore.doctor.points import Finding, by_limits, point
from accountsstore.redis import client
from accountsstore.servers import queue_client

SLOTS = 16_384


@point("cluster")
def cluster() -> Iterator[Finding]:
    found = client()
    if not isinstance(found, RedisCluster):
        yield Finding("ok", "one Redis and no cluster")
        return
    told: dict[str, Any] = found.cluster_info(target_nodes=RedisCluster.RANDOM)
    if told["cluster_state"] != "ok" or int(told["cluster_slots_ok"]) != SLOTS:
        yield Finding(
            "wrong", f"{told['cluster_slots_ok']} of {SLOTS} slots are served", "Start the nodes that are away."
        )
    masters, replicas = len(found.get_primaries()), len(found.get_replicas())
    if replicas < masters:
        yield Finding("warning", f"{masters} masters have {replicas} replicas", "Start a replica for each master.")
    if told["cluster_state"] == "ok" and replicas >= masters:
        yield Finding("ok", f"{SLOTS} slots on {masters} masters, {replicas} replicas")


@point("eviction")
def eviction() -> Iterator[Finding]:
    found = client()
    if isinstance(found, RedisCluster):
        told = list(found.info("memory", target_nodes=RedisCluster.ALL_NODES).values())
    else:
        told = [found.info("memory")]
    is_queue_too = settings.CELERY_BROKER_URL == settings.REDIS_URL
    policies = {each["maxmemory_policy"] for each in told if int(each.get("maxmemory", 0))}
    if not policies or (policies == {"noeviction"} and is_queue_too):
        yield Finding("ok", "memory has no bound" if not policies else "none, as the queue wants it")
    elif policies != {"volatile-lru"}:
        yield Finding(
            "warning",
            f"maxmemory-policy is {', '.join(sorted(policies))}",
            "volatile-lru, as deploy/redis/cluster.conf.",
        )
    else:
        yield Finding("ok", "volatile-lru")


@point("queue")
def queue() -> Iterator[Finding]:
    with queue_client() as found:
        memory, persistence = found.info("memory"), found.info("persistence")
        before, told = time.time(), found.time()
    if memory["maxmemory_policy"] != "noeviction":
        yield Finding(
            "wrong",
            f"maxmemory-policy is {memory['maxmemory_policy']}: jobs are thrown away when memory is full",
            "noeviction, as deploy/redis/jobs.conf has it.",
        )
    if not persistence["aof_enabled"]:
        yield Finding("warning", "appendonly is off: a restart waits for the outbox", "appendonly yes")
    sentinels = settings.CELERY_BROKER_URL.split(";") if settings.CELERY_BROKER_URL.startswith("sentinel") else []
    if sentinels and len(sentinels) < 3:
        yield Finding("warning", f"{len(sentinels)} Sentinels cannot outvote one that is away", "Name three.")
    skew = max(before - (told[0] + told[1] / 1e6), told[0] + told[1] / 1e6 - time.time(), 0)
    level = by_limits(skew, SKEW_SECONDS, TOO_MUCH_SKEW_SECONDS)
    yield Finding(level, f"its clock is {skew:.1f} s from this host's", "Have chrony or systemd-timesyncd run on both.")
