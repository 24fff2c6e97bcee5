"""The bucket: django-storages' S3 with the store's settings. Only `uploads.storage` speaks to it.

The bucket is private. What everybody may see lies under `public/`, which the CDN serves as it is; for the rest the CDN
asks for a signed address. `incoming/` is what browsers send and nobody has looked at: it is never served.
"""

import functools
import threading
from collections.abc import Iterable
from typing import IO, Any

import boto3
from boto3.s3.transfer import TransferConfig
from botocore.config import Config
from botocore.exceptions import ClientError
from django.conf import settings
from storages.backends.s3 import S3Storage

# A hanging bucket costs a caller twice these.
CONNECT_SECONDS, ANSWER_SECONDS, TRIES = 2, 5, 2
# A picture that was taken down is gone from every cache within a day.
PUBLIC_CACHE = "public, max-age=86400"
_TYPES = {"webp": "image/webp", "jpg": "image/jpeg", "png": "image/png", "pdf": "application/pdf"}


_making = threading.Lock()


@functools.cache
def _session(access_key: str | None, secret_key: str | None) -> boto3.Session:
    """Shared by all threads, since each would spend a quarter of a second on reading boto's descriptions of S3. Making
    a connection from it takes the lock."""
    return boto3.Session(aws_access_key_id=access_key, aws_secret_access_key=secret_key)


class Bucket(S3Storage):
    """Chosen in settings when S3_BUCKET is set."""

    def get_default_settings(self) -> dict[str, Any]:
        # By its region's own name, also where the service would take a shorter one: the content policy names it too.
        endpoint = settings.S3_ENDPOINT_URL or f"https://s3.{settings.S3_REGION}.amazonaws.com"
        config = Config(
            signature_version="s3v4",
            s3={"addressing_style": "path" if settings.S3_ENDPOINT_URL else "virtual"},
            connect_timeout=CONNECT_SECONDS,
            read_timeout=ANSWER_SECONDS,
            retries={"total_max_attempts": TRIES, "mode": "standard"},
            request_checksum_calculation="when_required",
        )
        return super().get_default_settings() | {
            "bucket_name": settings.S3_BUCKET,
            "region_name": settings.S3_REGION,
            "endpoint_url": endpoint,
            # Without keys, boto takes the machine's role.
            "access_key": settings.S3_ACCESS_KEY_ID or None,
            "secret_key": settings.S3_SECRET_ACCESS_KEY or None,
            "client_config": config,
            # Nothing is as large as the parts that threads would send.
            "transfer_config": TransferConfig(multipart_threshold=64 * 1024 * 1024, use_threads=False),
            "default_acl": None,
            # Keys are unique by design: a look first would cost a request.
            "file_overwrite": True,
            "custom_domain": settings.CDN_DOMAIN or None,
            "cloudfront_key_id": settings.CLOUDFRONT_KEY_ID or None,
            "cloudfront_key": settings.CLOUDFRONT_PRIVATE_KEY.encode() or None,
        }

    def _create_session(self) -> boto3.Session:
        return _session(self.access_key, self.secret_key)

    @property
    def connection(self) -> Any:
        """One per thread, as boto3 asks."""
        with _making:
            return super().connection

    @property
    def client(self) -> Any:
        return self.connection.meta.client

    def get_object_parameters(self, name: str) -> dict[str, str]:
        """How a CDN or browser is to treat the object, by its key."""
        folder, _, base = name.rpartition("/")
        told = {"ContentType": _TYPES[base.rpartition(".")[2]], "CacheControl": "private, no-store"}
        if folder.startswith("public/"):
            told["CacheControl"] = PUBLIC_CACHE
        elif "-original-" in base:
            told["ContentDisposition"] = f'attachment; filename="{base.partition("-original-")[2]}"'
        return told

    def delete_many(self, keys: Iterable[str]) -> None:
        """Delete what is there, in one request per thousand. Raises OSError when one could not be deleted."""
        named = [{"Key": key} for key in keys]
        for start in range(0, len(named), 1000):
            batch = {"Objects": named[start : start + 1000], "Quiet": True}
            errors = self.client.delete_objects(Bucket=self.bucket_name, Delete=batch).get("Errors")
            if errors:
                raise OSError(f"{len(errors)} objects were not deleted: {errors[0].get('Code')}")

    def upload_form(self, key: str, content_type: str, max_bytes: int, seconds: int) -> dict[str, Any]:
        """What lets a browser send one file to `key`: {"url": …, "fields": {…}} of a presigned POST."""
        form: dict[str, Any] = self.client.generate_presigned_post(
            self.bucket_name,
            key,
            Fields={"Content-Type": content_type, "success_action_status": "201"},
            Conditions=[
                {"Content-Type": content_type},
                {"success_action_status": "201"},
                ["content-length-range", 1, max_bytes],
            ],
            ExpiresIn=seconds,
        )
        return form

    def read_start(self, key: str, max_bytes: int, into: IO[bytes]) -> bool:
        """Copy at most `max_bytes` of the object. False if there is none."""
        try:
            found = self.client.get_object(Bucket=self.bucket_name, Key=key, Range=f"bytes=0-{max_bytes - 1}")
        except ClientError as error:
            # An empty object has no byte that a range could begin with.
            if error.response["Error"]["Code"] == "InvalidRange":
                return True
            if error.response["Error"]["Code"] in ("NoSuchKey", "404"):
                return False
            raise
        for chunk in found["Body"].iter_chunks(64 * 1024):
            into.write(chunk)
        return True

    def ask(self) -> None:
        """Return when the bucket answers."""
        self.client.head_bucket(Bucket=self.bucket_name)
