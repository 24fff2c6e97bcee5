"""Servers of a provider, which encrypt and ask for a user: the settings take them, and believe no other authority."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from pymongo import MongoClient

from accountsstore.fleet.valkey import Server
from accountsstore.stack import programs
from accountsstore.stack.layout import Node
from accountsstore.stack.mongo import mongod
from accountsstore.stack.valkey import PROGRAM
from accountsstore.tests.layer.test_outages import Proxy
from accountsstore.tests.own_valkey import Valkey, valkey  # noqa: F401  (a fixture)
from accountsstore.tests.programs import eventually, free_port, program_env, run_python
from accountsstore.tests.test_doctor import loopback_certificate

pytestmark = pytest.mark.slow

PASSWORD = "managed-secret-of-the-provider"


@pytest.fixture
async def managed(tmp_path: Path, valkey: Valkey) -> AsyncIterator[dict[str, str]]:  # noqa: F811
    """The addresses of a MongoDB, a cluster and a queue. The wheel's Valkey speaks no TLS: somebody in front of it does,
    whom the cluster names to its clients, as providers' do."""
    ca = loopback_certificate(tmp_path, 1)
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(ca)
    mongo = Node("mongo", "mongo", free_port(), tmp_path / "mongo")
    shard = Node("shard", "redis", free_port(), tmp_path / "shard")
    (mongo.folder / "data").mkdir(parents=True)
    cluster_port = str(free_port())
    try:
        programs.start(
            mongo,
            [
                *(str(mongod()), "--port", str(mongo.port), "--bind_ip", "127.0.0.1", "--replSet", "rs0"),
                *(
                    "--dbpath",
                    str(mongo.folder / "data"),
                    "--tlsMode",
                    "requireTLS",
                    "--tlsCertificateKeyFile",
                    str(ca),
                ),
            ],
            with_parent=True,
        )
        programs.start(
            shard,
            [
                *(PROGRAM, "--port", str(shard.port), "--cluster-enabled", "yes", "--cluster-port", cluster_port),
                *("--cluster-announce-ip", "127.0.0.1"),
                *(
                    "--requirepass",
                    PASSWORD,
                    "--user",
                    *f"store on >{PASSWORD} ~* &* +@all -@admin -@dangerous +info".split(),
                ),
            ],
            with_parent=True,
        )
        server = Server("127.0.0.1", shard.port, (PASSWORD,))
        await asyncio.to_thread(eventually, server.answers, "the shard does not start", shard.log)
        server.ask("CLUSTER ADDSLOTSRANGE", 0, 16383)
        # A master takes two seconds after its start before it serves.
        await asyncio.to_thread(
            eventually,
            lambda: server.ask("CLUSTER INFO")["cluster_state"] == "ok",
            "the shard does not serve",
            shard.log,
        )
        async with Proxy(shard.port, tls) as cluster, Proxy(valkey.port, tls) as queue:
            server.ask("CONFIG SET", "cluster-announce-port", cluster.port)
            with MongoClient("127.0.0.1", mongo.port, directConnection=True, tls=True, tlsCAFile=str(ca)) as client:
                members = [{"_id": 0, "host": f"127.0.0.1:{mongo.port}"}]
                client.admin.command("replSetInitiate", {"_id": "rs0", "members": members})
            yield {
                "DATABASE_URL": f"mongodb://127.0.0.1:{mongo.port}/accountsstore?replicaSet=rs0&tls=true&tlsCAFile={ca}",
                "REDIS_URL": f"rediss+cluster://store:{PASSWORD}@127.0.0.1:{cluster.port}?ssl_ca_certs={ca}",
                "CELERY_BROKER_URL": valkey.url.replace("redis:", "rediss:").replace(
                    f"127.0.0.1:{valkey.port}", f"127.0.0.1:{queue.port}"
                )
                + f"?ssl_cert_reqs=required&ssl_ca_certs={ca}",
            }
    finally:
        programs.stop([mongo, shard])


ASK = """
import django; django.setup()
from accountsstore.servers import servers_asked
for server, error in servers_asked():
    print(server.name, "stranger" if "certificate" in str(error).lower() else error)
"""
SEND = """
from django.core.cache import cache
cache.set("key", "value")
from accountsstore.celery import app
with app.connection_for_write() as connection:
    queue = connection.SimpleQueue("mail"); queue.put({"n": 1}); message = queue.get(timeout=10); message.ack(); queue.close()
print(cache.get("key"), message.payload)
"""


async def test_servers_that_encrypt_are_used_and_strangers_are_not_believed(managed: dict[str, str]) -> None:
    env = program_env(**managed, DJANGO_SETTINGS_MODULE="accountsstore.settings")
    done = await asyncio.to_thread(run_python, "-c", ASK + SEND, env=env)
    said = ["database None", "redis None", "jobs None", "files None", "value {'n': 1}"]
    assert done.stdout.splitlines() == said, done.stdout + done.stderr
    # The system knows no authority that signed these.
    for name, without in (("DATABASE_URL", "&tlsCAFile="), ("REDIS_URL", "?ssl_ca"), ("CELERY_BROKER_URL", "&ssl_ca")):
        env[name] = managed[name].partition(without)[0]
    done = await asyncio.to_thread(run_python, "-c", ASK, env=env)
    said = ["database stranger", "redis stranger", "jobs stranger", "files None"]
    assert done.stdout.splitlines() == said, done.stdout + done.stderr
