"""The buckets: does what was overwritten or deleted by mistake come back, and does it go in the end?"""

from collections.abc import Iterator

from botocore.exceptions import ClientError
from django.conf import settings
from django.core.files.storage import storages

from accountsstore.doctor.points import Finding, point


@point("buckets")
def buckets() -> Iterator[Finding]:
    """Each bucket keeps old versions, and a lifecycle rule deletes them some day."""
    for variable, alias in (("S3_BUCKET", "default"), ("BACKUP_S3_BUCKET", "backup")):
        if not getattr(settings, variable):
            continue
        bucket = storages[alias].bucket.name  # type: ignore[attr-defined]
        client = storages[alias].connection.meta.client  # type: ignore[attr-defined]
        try:
            is_versioned = client.get_bucket_versioning(Bucket=bucket).get("Status") == "Enabled"
            rules = _rules(client, bucket)
        except ClientError as error:
            yield Finding(
                "warning",
                f"{bucket} does not tell of its versions ({error.response['Error']['Code']})",
                "Give the store s3:GetBucketVersioning and s3:GetLifecycleConfiguration on it.",
            )
            continue
        if not is_versioned:
            yield Finding(
                "warning",
                f"{bucket} keeps no old versions: what is deleted by mistake is gone",
                "Turn versioning on; see docs/operations/files.md.",
            )
        elif not any("NoncurrentVersionExpiration" in rule for rule in rules if rule["Status"] == "Enabled"):
            yield Finding(
                "warning",
                f"{bucket} keeps old versions for ever, of what people deleted too",
                "Add a lifecycle rule for noncurrent versions; see docs/operations/files.md.",
            )
        else:
            yield Finding("ok", f"{bucket} keeps old versions, and deletes them in time")


def _rules(client: object, bucket: str) -> list[dict[str, object]]:
    try:
        found: list[dict[str, object]] = client.get_bucket_lifecycle_configuration(Bucket=bucket)["Rules"]  # type: ignore[attr-defined]
        return found
    except ClientError as error:
        if error.response["Error"]["Code"] != "NoSuchLifecycleConfiguration":
            raise
        return []
