from uploads.tests.s3_for_tests import bucket, cdn, cdn_key, s3_url

__all__ = ["bucket", "cdn", "cdn_key", "s3_url"]
