"""The secrets that buyers pay for: sealed when they are given, opened only for the parties of an order.

Who may open one is decided in `payments.services.orders.order_reveal`; here it is only sealed and opened.
"""

import msgspec
from django.utils.translation import gettext_lazy as _

from accountsstore.db import atomic, uuid7
from accountsstore.errors import StoreError
from accountsstore.rows import row_find
from accountsstore.vault import Sealed, open_sealed, rewrap, seal
from listings.models import Category, CategoryField, Credential, StockItem

VALUE_LIMIT = 2_000


class BadCredential(StoreError):
    code = "bad_credential"


def _belongs_to(credential: Credential) -> str:
    return f"credential:{credential.pk.hex}:{credential.stock_item_id.hex}"


def credential_fields(category: Category) -> list[CategoryField]:
    """The fields of a credential in this category, in order. A category without any has one: "credential"."""
    fields = [field for field in category.fields.all() if field.use == CategoryField.Use.CREDENTIAL]
    return fields or [CategoryField(key="credential", label_en="Credential", label_ar="بيانات الدخول", kind="text")]


def clean_values(fields: list[CategoryField], values: dict[str, str]) -> dict[str, str]:
    """The values for a category's `credential_fields`, outer spaces removed and nothing else altered: a password may
    hold any character. Raises BadCredential, naming the field, when one is missing or too long."""
    clean = {}
    for field in fields:
        value = values.get(field.key, "").strip()
        if not value and field.is_required:
            raise BadCredential(_("Fill in “%(field)s”.") % {"field": field.label}, field=field.key)
        if len(value) > VALUE_LIMIT:
            raise BadCredential(_("“%(field)s” is too long.") % {"field": field.label}, field=field.key)
        if value:
            clean[field.key] = value
    if not clean:
        raise BadCredential(_("A credential needs at least one field filled in."))
    return clean


@atomic
def credential_store(*, stock_item: StockItem, category: Category, values: dict[str, str]) -> Credential:
    """Seal `values` ({field key: text}) as the item's next version. Raises BadCredential."""
    previous = credential_latest(stock_item)
    version = previous.version + 1 if previous else 1
    fields = credential_fields(category)
    credential = credential_sealed(
        stock_item=stock_item, fields=fields, values=clean_values(fields, values), version=version
    )
    credential.save(force_insert=True)
    return credential


def credential_sealed(
    *, stock_item: StockItem, fields: list[CategoryField], values: dict[str, str], version: int = 1
) -> Credential:
    """A version, of values that `clean_values` has passed, for the caller to save."""
    credential = Credential(
        id=uuid7(),
        stock_item=stock_item,
        version=version,
        fields=[[f.key, f.label_en, f.label_ar] for f in fields if f.key in values],
    )
    sealed = seal(msgspec.json.encode(values), belongs_to=_belongs_to(credential))
    credential.ciphertext, credential.wrapped_key, credential.key_id = (
        sealed.ciphertext,
        sealed.wrapped_key,
        sealed.key_id,
    )
    return credential


def credential_latest(stock_item: StockItem) -> Credential | None:
    return row_find(Credential, order_by=["-version"], stock_item=stock_item.pk)


def credential_open(credential: Credential) -> dict[str, str]:
    """{field key: text}. The caller has checked who asks and has written the reveal. Raises vault.VaultError."""
    sealed = Sealed(bytes(credential.ciphertext), bytes(credential.wrapped_key), credential.key_id)
    return msgspec.json.decode(open_sealed(sealed, belongs_to=_belongs_to(credential)), type=dict[str, str])


def credential_rewrap(credential: Credential) -> None:
    """Wrap the data key with the current key. Safe to repeat and to interrupt."""
    old_key_id = credential.key_id
    sealed = Sealed(bytes(credential.ciphertext), bytes(credential.wrapped_key), old_key_id)
    new = rewrap(sealed, belongs_to=_belongs_to(credential))
    Credential.objects.filter(pk=credential.pk, key_id=old_key_id).update(
        wrapped_key=new.wrapped_key, key_id=new.key_id
    )
