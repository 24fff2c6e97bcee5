"""System checks: settings that would harm a store, each with a way out."""

from typing import Any

from django.conf import settings
from django.core.checks import Error, Tags, Warning, register


@register(Tags.security)
def harmful_settings(app_configs: Any, **kwargs: Any) -> list[Error | Warning]:
    found: list[Error | Warning] = []
    if not settings.DEBUG and not settings.TESTING:
        if settings.EMAIL_BACKEND.endswith("filebased.EmailBackend"):
            found.append(
                Warning(
                    "Mails are written to files and reach nobody.",
                    hint="Set EMAIL_URL, for example smtp+tls://user:password@mail.example:587.",
                    id="accountsstore.W001",
                )
            )
        if settings.STORE_URL.startswith("http://"):
            found.append(
                Warning(
                    "Links in mails lead to an unencrypted address.",
                    hint="Set STORE_URL to the https:// address customers use.",
                    id="accountsstore.W002",
                )
            )
    if not 0 <= settings.FEE_BASIS_POINTS <= 5_000:
        found.append(
            Error(
                "The seller's fee is outside 0 to 50 %.",
                hint="FEE_BASIS_POINTS counts hundredths of a percent: 800 is 8 %.",
                id="accountsstore.E001",
            )
        )
    if settings.ORDER_INSPECT_HOURS < 2:
        found.append(
            Error(
                "Buyers get less than two hours to check what they bought.",
                hint="Set ORDER_INSPECT_HOURS to 24 or more.",
                id="accountsstore.E002",
            )
        )
    if settings.UPLOAD_MAX_BYTES > 50 * 1024 * 1024:
        found.append(
            Warning(
                "Uploads above 50 MB tie up a worker while they are decoded.",
                hint="Set UPLOAD_MAX_BYTES to 10485760 (10 MB).",
                id="accountsstore.W003",
            )
        )
    if settings.LISTING_WATERMARK and max(settings.STORE_NAME, default="ÿ") > "ÿ":
        found.append(
            Error(
                "The watermark's font has no letters for STORE_NAME.",
                hint="Set LISTING_WATERMARK=false, or write STORE_NAME in Latin letters.",
                id="accountsstore.E003",
            )
        )
    return found
