"""`manage.py rotate_keys`: wrap every data key with the newest key."""

from typing import Any

from django.core.management.base import BaseCommand

from accountsstore import vault
from listings.credentials import credential_rewrap
from listings.models import Credential
from payments.models import PayoutMethod
from payments.services.withdrawals import payout_method_rewrap


class Command(BaseCommand):
    help = (
        "Wraps the data keys of credentials and payout methods with the first key in CREDENTIAL_KEYS. Put the new key "
        "first, keep the old ones, run this, then remove the old ones. Safe to repeat and to interrupt."
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
