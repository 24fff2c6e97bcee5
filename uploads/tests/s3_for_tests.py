"""An S3 server for the tests, what a browser sends to it, and what a CDN checks before it serves."""

import base64
import json
import os
import time
import urllib.request
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import boto3
import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from django.core.files.storage import storages
from moto.server import ThreadedMotoServer
from pytest_django import Settings

CDN = "cdn.store.example"
KEY_ID = "K2JCJMDEHXQW5F"


@pytest.fixture(scope="session")
def s3_url() -> Iterator[str]:
    """The stack's S3, or one of our own."""
    if os.environ.get("S3_ENDPOINT_URL"):
        yield os.environ["S3_ENDPOINT_URL"]
        return
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def bucket(s3_url: str, settings: Settings) -> Any:
    """The store keeps its files in this empty bucket."""
    settings.S3_ENDPOINT_URL = s3_url
    settings.S3_BUCKET = f"test-{os.environ.get('PYTEST_XDIST_WORKER', 'gw')}"
    settings.S3_ACCESS_KEY_ID, settings.S3_SECRET_ACCESS_KEY = "test", "test-only"
    settings.STORAGES = settings.STORAGES | {"default": {"BACKEND": "uploads.s3.Bucket"}}
    client = storages["default"].client
    client.create_bucket(Bucket=settings.S3_BUCKET)
    found = boto3.resource(
        "s3", endpoint_url=s3_url, region_name="us-east-1", aws_access_key_id="t", aws_secret_access_key="t"
    ).Bucket(settings.S3_BUCKET)
    found.objects.all().delete()
    return found


def keys(bucket: Any) -> list[str]:
    return sorted(found.key for found in bucket.objects.all())


@pytest.fixture(scope="session")
def cdn_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


@pytest.fixture
def cdn(bucket: Any, settings: Settings, cdn_key: rsa.RSAPrivateKey) -> rsa.RSAPublicKey:
    """The bucket lies behind a CDN that trusts this key."""
    settings.CDN_DOMAIN, settings.CLOUDFRONT_KEY_ID = CDN, KEY_ID
    pem = cdn_key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())
    settings.CLOUDFRONT_PRIVATE_KEY = pem.decode()
    # Read anew.
    settings.STORAGES = dict(settings.STORAGES)
    return cdn_key.public_key()


def cdn_opens(url: str, trusted: rsa.RSAPublicKey, *, at: float | None = None) -> str:
    """The key in the bucket that CloudFront would serve for a signed address (a canned policy: RSA over SHA-1).

    Raises cryptography's InvalidSignature or AssertionError. docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/
    private-content-creating-signed-url-canned-policy.html
    """
    parts = urlsplit(url)
    query = {name: values[0] for name, values in parse_qs(parts.query).items()}
    assert (parts.scheme, parts.netloc, query["Key-Pair-Id"]) == ("https", CDN, KEY_ID)
    plain = f"https://{parts.netloc}{parts.path}"
    statement = {"Resource": plain, "Condition": {"DateLessThan": {"AWS:EpochTime": int(query["Expires"])}}}
    policy = json.dumps({"Statement": [statement]}, separators=(",", ":"))
    signature = base64.b64decode(query["Signature"].translate(str.maketrans("-_~", "+=/")))
    trusted.verify(signature, policy.encode(), padding.PKCS1v15(), hashes.SHA1())
    assert (at or time.time()) < int(query["Expires"]), "expired"
    return parts.path.removeprefix("/")


def browser_sends(form: dict[str, Any], data: bytes, content_type: str = "image/jpeg") -> int:
    """Post a file as a browser does with a presigned form. Returns the status."""
    boundary = "----a-browser-made-this"
    lines: list[bytes] = []
    for name, value in form["fields"].items():
        lines += [f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode()]
    head = f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="x"\r\nContent-Type: {content_type}\r\n\r\n'
    body = b"".join(lines) + head.encode() + data + f"\r\n--{boundary}--\r\n".encode()
    request = urllib.request.Request(
        form["url"], data=body, headers={"Content-Type": f"multipart/form-data; boundary={boundary}"}
    )
    with urllib.request.urlopen(request, timeout=30) as answer:
        return int(answer.status)
