"""`manage.py rotate_keys`: wrap every data key with the newest key, and know stock by the newest SECRET_KEY."""

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand

from accountsstore import vault
from listings.credentials import credential_rewrap
from listings.models import Credential
from listings.services.stock import stock_fingerprint_renew
from payments.models import PayoutMethod
from payments.services.withdrawals import payout_method_rewrap


class Command(BaseCommand):
    help = (
        "Wraps the data keys of credentials and payout methods with the first key in CREDENTIAL_KEYS. Put the new key "
        "first, keep the old ones, run this, then remove the old ones. Where SECRET_KEY_FALLBACKS is set, loaded credentials "
        "also become known by the present SECRET_KEY, so that each is still loaded once. Safe to repeat and to interrupt."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        current = vault.current_key_id()
        credentials = methods = 0
        for credential in Credential.objects.exclude(key_id=current).iterator(chunk_size=500):
            credential_rewrap(credential)
            credentials += 1
        for method in PayoutMethod.objects.exclude(key_id=current).iterator(chunk_size=500):
            payout_method_rewrap(method)
            methods += 1
        self.stdout.write(
            f"{credentials} credentials and {methods} payout methods now use key {current}. "
            "Keys that no row names any more may leave CREDENTIAL_KEYS."
        )
        if settings.SECRET_KEY_FALLBACKS:
            loaded = Credential.objects.filter(version=1, stock_item__fingerprint__isnull=False)
            found = loaded.select_related("stock_item__listing").iterator(chunk_size=500)
            self.stdout.write(
                f"{sum(map(stock_fingerprint_renew, found))} items of stock are now known by the present SECRET_KEY."
            )
