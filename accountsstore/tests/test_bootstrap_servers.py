"""`manage.py bootstrap_servers` on real servers that run with what `render_deploy` wrote for them."""

import asyncio
import secrets
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Self

import pytest
import redis
from django.core.cache import cache
from django.core.management import CommandError, call_command
from kombu import Connection
from pymongo import MongoClient
from pymongo.errors import OperationFailure
from pytest_django import Settings
from redis.backoff import NoBackoff
from redis.cluster import ClusterNode, RedisCluster
from redis.exceptions import NoPermissionError
from redis.retry import Retry
from redis.sentinel import Sentinel

from accountsstore.doctor import examine
from accountsstore.fleet.valkey import Server
from accountsstore.layer import ClusterChannelLayer
from accountsstore.redis import masters, ping
from accountsstore.stack import programs
from accountsstore.stack.layout import Node
from accountsstore.stack.mongo import mongod
from accountsstore.stack.valkey import PROGRAM
from accountsstore.tests.programs import eventually
from accountsstore.tests.rendered_servers import HOST, Servers, listens, rendered_servers

pytestmark = pytest.mark.slow

AS_THEY_SHOULD_BE = "users: as they should be."


def others() -> str:
    return secrets.token_urlsafe(32)


class Busy:
    """Somebody who works all the time, with a connection of their own each time. `errors` is what they met."""

    def __init__(self, work: Callable[[], object]) -> None:
        self.work, self.errors, self.done = work, list[Exception](), 0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def _run(self) -> None:
        while not self._stop.wait(0.02):
            try:
                self.work()
                self.done += 1
            except Exception as error:
                self.errors.append(error)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._stop.set()
        self._thread.join()

    def goes_on(self) -> None:
        """Wait until the work was done some times more."""
        before = self.done
        eventually(lambda: self.done > before + 2 or self.errors, "nothing is done any more")
        assert self.errors == []


def signs_in(node: Node, user: str, password: str) -> bool:
    at_once = Retry(NoBackoff(), 0)
    with redis.Redis(HOST, node.port, username=user, password=password, retry=at_once) as client:
        try:
            return bool(client.ping())
        except redis.AuthenticationError:
            return False


# ------------------------------------------------------------ the cluster


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    with rendered_servers(tmp_path_factory.mktemp("cluster"), "redis") as servers:
        yield servers


def cluster_client(servers: Servers, user: str, password: str) -> RedisCluster:
    nodes = [ClusterNode(HOST, node.port) for node in servers.nodes.values()]
    return RedisCluster(startup_nodes=nodes, username=user, password=password, decode_responses=True)


def topology(servers: Servers) -> dict[str, list[tuple[str, str]]]:
    """What each node knows of all."""
    known = servers.password("REDIS_ADMIN")
    return {
        name: sorted(
            (one["node_id"], one["epoch"]) for one in Server(HOST, node.port, (known,)).ask("CLUSTER NODES").values()
        )
        for name, node in servers.nodes.items()
    }


@pytest.fixture
def extra(cluster: Servers, tmp_path: Path) -> Iterator[Callable[..., Server]]:
    """`extra(*arguments)`: one more Redis with the operator's password."""
    node = Node("extra", "redis", cluster.spare_port, tmp_path / "extra")

    def start(*arguments: str) -> Server:
        password = cluster.password("REDIS_ADMIN")
        programs.start(
            node,
            [PROGRAM, "--port", str(node.port), "--requirepass", password, "--save", "", *arguments],
            with_parent=True,
        )
        server = Server(HOST, node.port, (password,))
        eventually(server.answers, "the extra one does not start", node.log)
        return server

    yield start
    programs.stop([node])


def test_a_cluster_is_made_once_and_left_alone_afterwards(cluster: Servers) -> None:
    assert "of 6 nodes" in (said := cluster.bootstrap("redis")) or "6 empty nodes" in said
    before = topology(cluster)
    client = cluster_client(cluster, "default", cluster.password("REDIS_ADMIN"))
    seen = client.cluster_nodes()
    masters = [one["node_id"] for one in seen.values() if one["slots"]]
    assert len(masters) == 3 and sorted(one["master_id"] for one in seen.values() if not one["slots"]) == sorted(
        masters
    )
    again = cluster.bootstrap("redis")
    assert "found a cluster of 6 nodes." in again and AS_THEY_SHOULD_BE in again and "changed" not in again
    assert topology(cluster) == before


def test_a_node_that_may_not_be_taken_is_named_and_nothing_is_changed(
    cluster: Servers, extra: Callable[..., Server]
) -> None:
    before = topology(cluster)
    address = f"{HOST}:{cluster.spare_port}"
    with_it = [address, *cluster.addresses["redis"][1:]]
    assert cluster.refusal("redis", redis=with_it).startswith(f"{address} does not answer (ConnectionError")
    extra()
    assert cluster.refusal("redis", redis=with_it) == f"{address} is no node of a cluster: cluster-enabled is no."
    assert topology(cluster) == before


def test_a_node_of_another_cluster_is_left_there(cluster: Servers, extra: Callable[..., Server]) -> None:
    cluster.bootstrap("redis")
    before = topology(cluster)
    server = extra("--cluster-enabled", "yes", "--cluster-port", str(cluster.spare_port + 10_000))
    server.ask("CLUSTER ADDSLOTSRANGE", 0, 16383)
    eventually(lambda: server.ask("CLUSTER INFO")["cluster_state"] == "ok", "the other cluster does not serve")
    server.ask("SET", "theirs", "data")
    with_it = [server.address, *cluster.addresses["redis"][:5]]
    assert cluster.refusal("redis", redis=with_it).startswith(f"{server.address} is a cluster of its own.")
    # Of our own one, a part alone is no cluster either.
    without_last = [*cluster.addresses["redis"][:5], server.address]
    assert f"is in a cluster with {cluster.addresses['redis'][5]}, which" in cluster.refusal(
        "redis", redis=without_last
    )
    assert server.ask("GET", "theirs") == "data" and topology(cluster) == before


def test_other_passwords_than_the_servers_have_change_nothing(cluster: Servers) -> None:
    before, text = topology(cluster), cluster.passwords_file.read_text()
    cluster.set_password("REDIS_ADMIN", others())
    try:
        assert cluster.refusal("redis") == f"{cluster.addresses['redis'][0]} knows another password."
    finally:
        cluster.passwords_file.write_text(text)
    assert topology(cluster) == before


def test_a_look_changes_nothing(cluster: Servers) -> None:
    text, new = cluster.passwords_file.read_text(), others()
    cluster.set_password("REDIS_STORE", new)
    try:
        assert cluster.bootstrap("redis", look=True).startswith("redis  found")
        assert not signs_in(cluster.nodes["redis-1"], "store", new)
    finally:
        cluster.passwords_file.write_text(text)


def test_the_site_can_use_the_cluster_and_can_neither_empty_nor_change_it(cluster: Servers) -> None:
    cluster.bootstrap("redis")
    client = cluster_client(cluster, "store", cluster.password("REDIS_STORE"))
    client.set("store:key", "value", ex=60)
    assert client.get("store:key") == "value"
    for command in ("FLUSHALL", "CONFIG GET *", "ACL LIST", "KEYS *", "CLUSTER RESET", "SHUTDOWN"):
        with pytest.raises(NoPermissionError):
            client.execute_command(*command.split(), target_nodes=RedisCluster.RANDOM)
    exporter = cluster_client(cluster, "exporter", cluster.password("REDIS_EXPORTER"))
    assert exporter.info("memory", target_nodes=RedisCluster.RANDOM)
    with pytest.raises(NoPermissionError):
        exporter.get("store:key")


async def test_every_part_of_the_site_that_speaks_to_the_cluster_may(cluster: Servers, settings: Settings) -> None:
    await asyncio.to_thread(cluster.bootstrap, "redis")
    nodes = ",".join(cluster.addresses["redis"])
    settings.REDIS_URL = f"redis+cluster://store:{cluster.password('REDIS_STORE')}@{nodes}"

    def work() -> None:
        cache.set_many({"a": 1, "b": 2}, timeout=60)
        cache.incr("a")
        assert cache.get_many(["a", "b"]) == {"a": 2, "b": 2}
        cache.delete_many(["a", "b"])
        ping()
        # As metrics and `doctor` look at it.
        assert all(one.info("memory") for one in masters().values())
        assert {finding.level for _name, finding in examine(["cluster", "eviction"])} == {"ok"}

    await asyncio.to_thread(work)
    layer = ClusterChannelLayer(settings.REDIS_URL, prefix="store")
    channel = await layer.new_channel()
    await layer.group_add("group", channel)
    await layer.group_send("group", {"type": "hello"})
    assert await layer.receive(channel) == {"type": "hello"}
    await layer.flush()


def test_the_passwords_of_the_cluster_are_changed_while_it_is_used(cluster: Servers) -> None:
    cluster.bootstrap("redis")
    old, new, old_admin, new_admin = (
        cluster.password("REDIS_STORE"),
        others(),
        cluster.password("REDIS_ADMIN"),
        others(),
    )
    used = [old]

    def work() -> None:
        with cluster_client(cluster, "store", used[0]) as client:
            client.incr("store:worked")

    with Busy(work) as site:
        site.goes_on()
        cluster.set_password("REDIS_STORE", f"{new},{old}")
        cluster.set_password("REDIS_ADMIN", f"{new_admin},{old_admin}")
        said = cluster.bootstrap("redis")
        assert "users: changed on" in said and "among themselves: changed on" in said
        site.goes_on()
        # The site is given the new one, and the old one ends.
        used[0] = new
        site.goes_on()
        cluster.set_password("REDIS_STORE", new)
        cluster.set_password("REDIS_ADMIN", new_admin)
        cluster.bootstrap("redis")
        site.goes_on()
    first = cluster.nodes["redis-1"]
    assert signs_in(first, "store", new)
    for user, password in (("store", old), ("default", old_admin)):
        assert not signs_in(first, user, password)
    # A server that starts again knows the new ones alone.
    replica = next(
        node for node in cluster.nodes.values() if Server(HOST, node.port, (new_admin,)).ask("ROLE")[0] != "master"
    )
    programs.kill(replica)
    cluster.start(replica)
    server = Server(HOST, replica.port, (new_admin,))
    eventually(lambda: server.answers() and server.ask("INFO", "replication")["master_link_status"] == "up", "no link")
    assert old_admin not in cluster.conf(replica).read_text()
    assert AS_THEY_SHOULD_BE in cluster.bootstrap("redis")


# ------------------------------------------------------------ the queue


@pytest.fixture(scope="module")
def queue(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    with rendered_servers(tmp_path_factory.mktemp("queue"), "jobs", "sentinels") as servers:
        for node in servers.nodes.values():
            if node.part == "sentinel":
                # Every 10 s otherwise: somebody would wait for it.
                known = Server(HOST, node.port, (servers.password("JOBS_ADMIN"),))
                known.ask("SENTINEL DEBUG", "INFO-PERIOD", 500)
        servers.bootstrap()
        yield servers


def master_of(servers: Servers, user: str, password: str) -> redis.Redis:
    sentinels = [(HOST, node.port) for name, node in servers.nodes.items() if name.startswith("sentinel")]
    known = {"username": user, "password": password}
    return Sentinel(sentinels, sentinel_kwargs=known, **known).master_for("jobs", decode_responses=True)


def test_the_site_queues_jobs_through_sentinels_and_can_do_no_more_there(queue: Servers) -> None:
    password = queue.password("JOBS_STORE")
    url = ";".join(f"sentinel://store:{password}@{at}" for at in queue.addresses["sentinels"])
    known = {"username": "store", "password": password}
    with Connection(url, transport_options={"master_name": "jobs", "sentinel_kwargs": known}) as connection:
        simple = connection.SimpleQueue("mail")
        simple.put({"mail": 1})
        message = simple.get(timeout=10)
        message.ack()
        assert message.payload == {"mail": 1}
        simple.close()
    with pytest.raises(NoPermissionError):
        master_of(queue, "store", password).flushall()
    sentinel = redis.Redis(HOST, queue.nodes["sentinel-1"].port, username="store", password=password)
    for command in ("SENTINEL FAILOVER jobs", "SENTINEL REMOVE jobs", "SENTINEL SET jobs quorum 1", "SHUTDOWN"):
        with pytest.raises(NoPermissionError):
            sentinel.execute_command(*command.split())


def test_a_queue_is_left_as_it_is_when_it_is_one(queue: Servers) -> None:
    again = queue.bootstrap()
    assert f"found a queue at {queue.addresses['jobs'][0]}." in again
    assert "changed" not in again and again.count(AS_THEY_SHOULD_BE) == 2


def test_jobs_that_another_server_holds_are_not_thrown_away(queue: Servers) -> None:
    known = (queue.password("JOBS_ADMIN"),)
    first, second = (Server.at(address, known) for address in queue.addresses["jobs"])
    lonely = queue.nodes["sentinel-1"].folder / "lonely"
    node = Node("lonely", "redis", queue.spare_port, lonely)
    programs.start(node, [PROGRAM, "--port", str(node.port), "--requirepass", known[0], "--save", ""], with_parent=True)
    try:
        server = Server(HOST, node.port, known)
        eventually(server.answers, "it does not start", node.log)
        server.ask("LPUSH", "mail", "a job of somebody else")
        said = queue.refusal(jobs=[*queue.addresses["jobs"], server.address])
        assert said.startswith(
            f"{server.address} holds 1 keys and follows nobody, and {first.address} is the queue's master"
        )
        assert server.ask("LLEN", "mail") == 1 and first.ask("INFO", "replication")["connected_slaves"] == 1
        # The same server where one of ours stood: the Sentinels watch another.
        said = queue.refusal(jobs=[second.address, server.address])
        assert f"{second.address} follows" in said
    finally:
        programs.kill(node)


def test_the_passwords_of_the_queue_are_changed_while_it_is_used(queue: Servers) -> None:
    old, new, old_admin, new_admin = queue.password("JOBS_STORE"), others(), queue.password("JOBS_ADMIN"), others()
    used = [old]

    def work() -> None:
        with master_of(queue, "store", used[0]) as client:
            client.lpush("mail", "job")
            client.rpop("mail")

    with Busy(work) as site:
        site.goes_on()
        queue.set_password("JOBS_STORE", f"{new},{old}")
        queue.set_password("JOBS_ADMIN", f"{new_admin},{old_admin}")
        queue.bootstrap()
        site.goes_on()
        used[0] = new
        site.goes_on()
        queue.set_password("JOBS_STORE", new)
        queue.set_password("JOBS_ADMIN", new_admin)
        queue.bootstrap()
        site.goes_on()
    for name in ("jobs-1", "jobs-2", "sentinel-1", "sentinel-3"):
        for user, password in (("store", old), ("default", old_admin)):
            assert not signs_in(queue.nodes[name], user, password)
    # A Sentinel that starts again knows the queue, the others and the new passwords.
    sentinel = queue.nodes["sentinel-2"]
    programs.kill(sentinel)
    queue.start(sentinel)
    server = Server(HOST, sentinel.port, (new_admin,))
    eventually(server.answers, "the Sentinel does not start", sentinel.log)
    host, port = server.ask("SENTINEL GET-MASTER-ADDR-BY-NAME", "jobs")
    assert f"{host}:{port}" in queue.addresses["jobs"] and len(server.ask("SENTINEL SENTINELS", "jobs")) == 2
    assert old_admin not in queue.conf(sentinel).read_text()


# ------------------------------------------------------------ the replica set


@pytest.fixture(scope="module")
def replica_set(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    with rendered_servers(tmp_path_factory.mktemp("mongo"), "mongo") as servers:
        assert "3 empty members" in servers.bootstrap(look=True)
        servers.bootstrap()
        yield servers


def mongo_client(servers: Servers, user_and_password: str, **options: Any) -> MongoClient[dict[str, Any]]:
    hosts = ",".join(servers.addresses["mongo"])
    options = {"authSource": "admin", "replicaSet": "rs0", "w": "majority"} | options
    return MongoClient(f"mongodb://{user_and_password}@{hosts}/accountsstore", **options)


def refused(attempt: Callable[[], object]) -> int | None:
    with pytest.raises(OperationFailure) as error:
        attempt()
    return error.value.code


def test_a_replica_set_is_left_as_it_is_when_it_is_one(replica_set: Servers) -> None:
    again = replica_set.bootstrap()
    assert "found the replica set rs0 of 3." in again and AS_THEY_SHOULD_BE in again
    assert "the log has 1024 MB." in again and "next: manage.py migrate" in again


def test_each_user_of_the_replica_set_may_do_what_it_is_for_and_no_more(replica_set: Servers) -> None:
    with (
        mongo_client(replica_set, replica_set.password("MONGO_STORE")) as store,
        mongo_client(replica_set, replica_set.password("MONGO_BACKUP")) as backup,
        mongo_client(replica_set, replica_set.password("MONGO_EXPORTER")) as exporter,
        mongo_client(replica_set, replica_set.password("MONGO_ADMIN")) as admin,
    ):
        store.accountsstore.things.insert_one({"_id": 1})
        store.accountsstore.things.create_index("name")
        # In the log stand the hashes of all users' passwords.
        assert refused(lambda: store.local["oplog.rs"].find_one()) == 13
        assert refused(lambda: store.admin.command("createUser", "more", pwd="x", roles=["root"])) == 13
        assert backup.accountsstore.things.find_one() == {"_id": 1} and backup.local["oplog.rs"].find_one()
        assert refused(lambda: backup.accountsstore.things.delete_one({"_id": 1})) == 13
        backup.accountsstore.accountsstore_commandrun.insert_one({"_id": 1})
        assert exporter.admin.command("serverStatus")["ok"] and exporter.admin.command("replSetGetStatus")["ok"]
        assert refused(lambda: exporter.accountsstore.things.find_one()) == 13
        assert admin.admin.command("usersInfo")["users"]


def test_a_member_that_may_not_be_taken_is_named_and_left_as_it_is(replica_set: Servers, tmp_path: Path) -> None:
    address = f"{HOST}:{replica_set.spare_port}"
    two = replica_set.addresses["mongo"][:2]
    assert replica_set.refusal(mongo=[address, *two]) == f"{address} does not answer."
    assert replica_set.refusal(mongo=two).startswith("mongo in [servers] names 2: take 3")
    node = Node("extra", "mongo", replica_set.spare_port, tmp_path / "extra")
    (node.folder / "data").mkdir(parents=True)
    alone = [str(mongod()), "--port", str(node.port), "--bind_ip", HOST, "--dbpath", str(node.folder / "data")]
    try:
        programs.start(node, alone, with_parent=True)
        with MongoClient(address) as client:
            client.theirs.things.insert_one({"_id": 1})
        assert replica_set.refusal(mongo=[address, *two]).startswith(f"{address} runs without replSetName")
        programs.stop([node])
        keyfile = replica_set.nodes["mongo-1"].folder / "keyfile"
        programs.start(node, [*alone, "--replSet", "rs0", "--keyFile", str(keyfile)], with_parent=True)
        eventually(lambda: listens(node.port), "it does not start again", node.log)
        said = replica_set.refusal(mongo=[address, *two])
        assert said == f"{address} holds 1 collections of something else: it must be empty."
        # In the last place, where the others are looked at first.
        third = replica_set.addresses["mongo"][2]
        assert f"{third}, which has not {address}, unlike" in replica_set.refusal(mongo=[*two, address])
        with MongoClient(address, directConnection=True) as client:
            assert "setName" not in client.admin.command("hello")
    finally:
        programs.stop([node])


def test_another_key_file_than_the_members_have_changes_nothing(replica_set: Servers) -> None:
    text = replica_set.passwords_file.read_text()
    replica_set.set_password("MONGO_KEY", "A" * 64)
    try:
        assert replica_set.refusal() == f"{replica_set.addresses['mongo'][0]} has another key file than MONGO_KEY."
    finally:
        replica_set.passwords_file.write_text(text)


def test_the_user_of_the_site_is_changed_while_it_works(replica_set: Servers) -> None:
    old, new = replica_set.password("MONGO_STORE"), f"accountsstore-2:{others()}"
    used = [old]

    def work() -> None:
        with mongo_client(replica_set, used[0]) as client:
            client.accountsstore.work.update_one({"_id": 1}, {"$inc": {"times": 1}}, upsert=True)

    with Busy(work) as site:
        site.goes_on()
        replica_set.set_password("MONGO_STORE", f"{new},{old}")
        assert "users: made accountsstore-2." in replica_set.bootstrap()
        site.goes_on()
        used[0] = new
        site.goes_on()
        replica_set.set_password("MONGO_STORE", new)
        assert "users: dropped accountsstore." in replica_set.bootstrap()
        site.goes_on()
    with mongo_client(replica_set, old) as client:
        assert refused(lambda: client.accountsstore.work.find_one()) == 18
    with mongo_client(replica_set, new) as client:
        assert client.accountsstore.work.find_one()["times"] >= site.done  # type: ignore[index]


# ------------------------------------------------------------ what it is given


def test_a_faulty_file_of_passwords_is_answered_line_by_line_without_a_password(tmp_path: Path) -> None:
    path = tmp_path / "passwords.env"
    path.write_text("REDIS_ADMIN=short\nMONGO_STORE=no-user-hunter2hunter2hunter2\nREDIS_ADMINISTRATOR=x\n")
    with pytest.raises(CommandError) as error:
        call_command("bootstrap_servers", "deploy/inventory.example.toml", passwords=path)
    said = str(error.value)
    assert "REDIS_ADMIN in" in said and "MONGO_STORE in" in said and "Line 3 of" in said and "has no MONGO_KEY." in said
    assert "hunter2" not in said


def test_a_part_that_is_none_is_answered_with_those_there_are(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match=r"There is no part postgres; there are redis, jobs, mongo\."):
        call_command("bootstrap_servers", "deploy/inventory.example.toml", "postgres", passwords=tmp_path / "none")


def test_a_file_of_passwords_that_is_not_there_is_not_made_by_the_way(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match=r"none\.env cannot be used"):
        call_command("bootstrap_servers", "deploy/inventory.example.toml", passwords=tmp_path / "none.env")
    assert not list(tmp_path.iterdir())
