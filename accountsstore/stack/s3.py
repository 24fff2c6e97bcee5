"""The S3 of the stack: moto's server with one private bucket. It keeps files in memory, so a stop empties it."""

import http.client
import importlib.util
import sys

from accountsstore.stack.errors import StackError
from accountsstore.stack.layout import BUCKET, HOST, Health, Node, Stack
from accountsstore.stack.programs import Watch


def command(stack: Stack, node: Node) -> list[str]:
    """How to start it. Raises StackError when it is not installed."""
    for wheel in ("moto", "flask", "flask_cors", "boto3"):
        if not importlib.util.find_spec(wheel):
            raise StackError(
                f"{wheel} is not installed: it comes with requirements/dev.txt, which `make check` installs."
            )
    return [sys.executable, "-m", "moto.server", "-H", HOST, "-p", str(node.port)]


async def form(stack: Stack, nodes: list[Node], watch: Watch) -> None:
    """Make the bucket. Safe to repeat."""
    await watch.until(lambda: _status(nodes[0], "/") is not None, "The first answer of S3")
    await watch.until(lambda: _bucket_made(stack, nodes[0]), "Making the bucket")


def health(stack: Stack, node: Node) -> Health:
    status = _status(node, f"/{BUCKET}")
    if status is None:
        return Health("", "no answer")
    return Health("s3", "" if status == 200 else "has no bucket")


def _status(node: Node, path: str) -> int | None:
    connection = http.client.HTTPConnection(HOST, node.port, timeout=2)
    try:
        connection.request("HEAD", path)
        return connection.getresponse().status
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()


def _bucket_made(stack: Stack, node: Node) -> bool:
    # Here, because it takes half a second and only this needs it.
    import boto3

    client = boto3.client(
        "s3",
        endpoint_url=f"http://{node.address}",
        region_name="us-east-1",
        aws_access_key_id="accounts-store",
        aws_secret_access_key=stack.passwords["s3"],
    )
    client.create_bucket(Bucket=BUCKET, ACL="private")
    private = dict.fromkeys(("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets"), True)
    client.put_public_access_block(Bucket=BUCKET, PublicAccessBlockConfiguration=private)
    return health(stack, node).ok
