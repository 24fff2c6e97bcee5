"""The S3 of the stack: moto's server with one private bucket.

moto keeps files in memory. So that a store has its pictures after a stop, they are copied out before it and back after
the next start. After a SIGKILL the bucket is as it was at the last stop.
"""

import http.client
import importlib.util
import json
import shutil
import sys
from typing import Any

from accountsstore.stack.errors import StackError
from accountsstore.stack.layout import BUCKET, HOST, Health, Node, Stack
from accountsstore.stack.programs import Watch

# What an object has beside its bytes.
KEPT = ("CacheControl", "ContentDisposition", "ContentEncoding", "ContentType", "Metadata")


def command(stack: Stack, node: Node) -> list[str]:
    """How to start it. Raises StackError when it is not installed."""
    for wheel in ("moto", "flask", "flask_cors", "boto3"):
        if not importlib.util.find_spec(wheel):
            raise StackError(
                f"{wheel} is not installed: it comes with requirements/dev.txt, which `make check` installs."
            )
    return [sys.executable, "-m", "moto.server", "-H", HOST, "-p", str(node.port)]


async def form(stack: Stack, nodes: list[Node], watch: Watch) -> None:
    """Make the bucket and bring back what it held. Safe to repeat."""
    await watch.until(lambda: _status(nodes[0], "/") is not None, "The first answer of S3")
    await watch.until(lambda: health(stack, nodes[0]).ok or _bucket_made(stack, nodes[0]), "Making the bucket")


def health(stack: Stack, node: Node) -> Health:
    status = _status(node, f"/{BUCKET}")
    if status is None:
        return Health("", "no answer")
    return Health("s3", "" if status == 200 else "has no bucket")


def keep(stack: Stack, node: Node) -> None:
    """Copy the files out of the server's memory. Safe to repeat."""
    client, new = _client(stack, node), node.folder / "objects.new"
    shutil.rmtree(new, ignore_errors=True)
    new.mkdir()
    pages = client.get_paginator("list_objects_v2").paginate(Bucket=BUCKET)
    for number, entry in enumerate(entry for page in pages for entry in page.get("Contents", [])):
        found = client.get_object(Bucket=BUCKET, Key=entry["Key"])
        (new / f"{number}.data").write_bytes(found["Body"].read())
        about = {"Key": entry["Key"]} | {name: found[name] for name in KEPT if name in found}
        (new / f"{number}.json").write_text(json.dumps(about))
    shutil.rmtree(node.folder / "objects", ignore_errors=True)
    new.rename(node.folder / "objects")


def _bucket_made(stack: Stack, node: Node) -> bool:
    client = _client(stack, node)
    client.create_bucket(Bucket=BUCKET, ACL="private")
    private = dict.fromkeys(("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets"), True)
    client.put_public_access_block(Bucket=BUCKET, PublicAccessBlockConfiguration=private)
    for about in (node.folder / "objects").glob("*.json"):
        data = about.with_suffix(".data").read_bytes()
        client.put_object(Bucket=BUCKET, Body=data, **json.loads(about.read_text()))
    return True


def _client(stack: Stack, node: Node) -> Any:
    # Here, because it takes half a second and few commands need it.
    import boto3

    return boto3.client(
        "s3",
        endpoint_url=f"http://{node.address}",
        region_name="us-east-1",
        aws_access_key_id="accounts-store",
        aws_secret_access_key=stack.passwords["s3"],
    )


def _status(node: Node, path: str) -> int | None:
    connection = http.client.HTTPConnection(HOST, node.port, timeout=2)
    try:
        connection.request("HEAD", path)
        return connection.getresponse().status
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()
