"""Attributes: what a category asks of each listing, checked once for forms, services and imports."""

from typing import Any

from django.utils.translation import gettext as _

from listings.errors import BadListing
from listings.models import Category, CategoryField, Listing
from listings.text import clean_line

TEXT_LIMIT = 200
NUMBER_LIMIT = 10**12
Kind = CategoryField.Kind
_DIGITS = str.maketrans("٠١٢٣٤٥٦٧٨٩۰۱۲۳۴۵۶۷۸۹", "01234567890123456789")


def attribute_fields(category: Category) -> list[CategoryField]:
    """The category's attributes, in order."""
    return [field for field in category.fields.all() if field.use == CategoryField.Use.ATTRIBUTE]


def field_name(field: CategoryField) -> str:
    """The attribute's name in a form, and in an error's `field`."""
    return f"attr_{field.key}"


def clean_attribute(field: CategoryField, value: Any) -> str | int | bool | None:
    """What is stored for `value`, or None for nothing. Raises BadListing naming the field."""
    text = clean_line(str(value)) if value is not None else ""
    if not text:
        if field.is_required:
            raise _bad(field, _("Fill this in: buyers of this category ask for it."))
        return None
    if field.kind == Kind.NUMBER:
        digits = text.translate(_DIGITS).replace(",", "")
        if not digits.isascii() or not digits.isdigit() or int(digits) > NUMBER_LIMIT:
            raise _bad(field, _("Write a whole number in digits, for example 62."))
        return int(digits)
    if field.kind == Kind.CHOICE:
        if text not in field.choice_labels:
            raise _bad(field, _("Choose one of the list."))
        return text
    if field.kind == Kind.YES_NO:
        if text.lower() not in ("yes", "no", "true", "false"):
            raise _bad(field, _("Answer yes or no."))
        return text.lower() in ("yes", "true")
    if len(text) > TEXT_LIMIT:
        raise _bad(field, _("At most %(limit)d characters.") % {"limit": TEXT_LIMIT})
    return text


def clean_attributes(fields: list[CategoryField], values: dict[str, Any]) -> dict[str, Any]:
    """{field key: stored value}; keys that the category does not ask for are dropped. Raises BadListing."""
    clean = {field.key: clean_attribute(field, values.get(field.key)) for field in fields}
    return {key: value for key, value in clean.items() if value is not None}


def attribute_text(field: CategoryField, value: Any) -> str:
    """The stored value in the reader's language."""
    if field.kind == Kind.YES_NO:
        return _("Yes") if value else _("No")
    if field.kind == Kind.NUMBER and isinstance(value, int):
        return f"{value:,}"
    return field.choice_labels.get(str(value), str(value)) if field.kind == Kind.CHOICE else str(value)


def attribute_rows(listing: Listing, fields: list[CategoryField]) -> list[tuple[str, str]]:
    """(label, text) of each attribute that the seller filled in."""
    filled = [field for field in fields if field.key in listing.attributes]
    return [(field.label, attribute_text(field, listing.attributes[field.key])) for field in filled]


def summary(listing: Listing, fields: list[CategoryField]) -> str:
    """The words among the attributes, for a row of a list: "Emberfall, Europe"."""
    told = (field for field in fields if field.kind in (Kind.TEXT, Kind.CHOICE) and listing.attributes.get(field.key))
    # Between the parts of a list; Arabic has a comma of its own.
    return _(", ").join(attribute_text(field, listing.attributes[field.key]) for field in list(told)[:3])


def _bad(field: CategoryField, sentence: str) -> BadListing:
    return BadListing(sentence, field=field_name(field))
