import os

import pytest

from uploads.tests.s3_for_tests import bucket, cdn, cdn_key, s3_url

__all__ = ["bucket", "cdn", "cdn_key", "s3_url"]


@pytest.fixture(autouse=True)
def _own_bucket(request: pytest.FixtureRequest) -> None:
    """On the production stack every test of this folder has a bucket to itself, not the one that all share."""
    if os.environ.get("S3_ENDPOINT_URL"):
        request.getfixturevalue("bucket")
