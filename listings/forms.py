"""Forms of the catalogue and of the seller's desk."""

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from accountsstore.errors import StoreError
from accountsstore.money import parse_minor, to_decimal
from listings.attributes import attribute_fields, clean_attribute, field_name
from listings.errors import BadListing
from listings.models import Category, CategoryField, Listing, ListingReport
from listings.services.listings import DESCRIPTION_MAX, DESCRIPTION_MIN, TITLE_MAX, TITLE_MIN
from listings.services.stock import MANUAL_LIMIT

Kind = CategoryField.Kind


class MoneyField(forms.CharField):
    """An amount as people type it; cleans to minor units."""

    def clean(self, value: Any) -> int | None:
        text = super().clean(value)
        if not text:
            return None
        try:
            return parse_minor(text)
        except StoreError as error:
            raise forms.ValidationError(str(error)) from None


class ListingForm(forms.Form):
    """A listing with the attributes of `category`. `listing` is the one being changed, if one is."""

    category = forms.ModelChoiceField(
        label=_("Category"), queryset=Category.objects.none(), empty_label=_("Choose a category"), to_field_name="slug"
    )
    title = forms.CharField(
        label=_("Title"),
        min_length=TITLE_MIN,
        max_length=TITLE_MAX,
        help_text=_("What it is and what sets it apart, as a buyer would search for it."),
    )
    price = MoneyField(label=_("Price"), max_length=20)
    description = forms.CharField(
        label=_("Description"),
        min_length=DESCRIPTION_MIN,
        max_length=DESCRIPTION_MAX,
        widget=forms.Textarea(attrs={"rows": 8}),
        help_text=_("What the buyer gets, its history, and what to do first. Never write a login or a password here."),
    )
    delivery = forms.ChoiceField(
        label=_("Delivery"), choices=Listing.Delivery.choices, widget=forms.RadioSelect, initial=Listing.Delivery.MANUAL
    )
    count = forms.IntegerField(
        label=_("Pieces to sell"), min_value=1, max_value=MANUAL_LIMIT, initial=1, required=False,
        help_text=_("How many of these you can hand over. You can change it later."),
    )  # fmt: skip
    asks_first = forms.BooleanField(
        label=_("Ask me before each sale"),
        required=False,
        help_text=_("The buyer pays when you agree. Without this the buyer pays at once."),
    )
    version = forms.IntegerField(widget=forms.HiddenInput, required=False)

    def __init__(
        self,
        *args: Any,
        categories: list[Category],
        category: Category | None,
        listing: Listing | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        self.attribute_fields = attribute_fields(category) if category else []
        chosen = self.fields["category"]
        known = [c.pk for c in categories] + ([listing.category_id] if listing else [])
        chosen.queryset = Category.objects.filter(pk__in=known)
        closed = listing.category if listing and listing.category_id not in {c.pk for c in categories} else None
        chosen.choices = [
            ("", chosen.empty_label),
            *((category.slug, _indented(category)) for category in categories),
            *([(closed.slug, closed.name)] if closed else []),
        ]
        if listing is not None:
            del self.fields["count"]
        for field in self.attribute_fields:
            self.fields[field_name(field)] = _attribute_field(field)

    @property
    def attributes(self) -> list[forms.BoundField]:
        """The category's own fields, for the template."""
        return [self[field_name(field)] for field in self.attribute_fields]

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        for field in self.attribute_fields:
            name = field_name(field)
            if name in self.errors:
                continue
            try:
                clean_attribute(field, data.get(name))
            except BadListing as error:
                self.add_error(name, str(error))
        return data

    @property
    def values(self) -> dict[str, Any]:
        """The cleaned form as the listing services take it."""
        data = self.cleaned_data
        return {
            "category": data["category"],
            "title": data["title"],
            "description": data["description"],
            "price_minor": data["price"],
            "delivery": data["delivery"],
            "asks_first": data["asks_first"],
            "attributes": {field.key: data[field_name(field)] for field in self.attribute_fields},
        }


def _indented(category: Category) -> str:
    return f"\u2003{category.name}" if category.parent_id else category.name


def _attribute_field(field: CategoryField) -> forms.Field:
    common: dict[str, Any] = {"label": field.label, "required": field.is_required}
    if field.kind == Kind.CHOICE:
        return forms.ChoiceField(choices=[("", _("Choose")), *field.choice_labels.items()], **common)
    if field.kind == Kind.YES_NO:
        return forms.ChoiceField(choices=[("", _("Choose")), ("yes", _("Yes")), ("no", _("No"))], **common)
    attrs = {"inputmode": "numeric"} if field.kind == Kind.NUMBER else {}
    return forms.CharField(max_length=200, widget=forms.TextInput(attrs=attrs), **common)


def form_values(listing: Listing) -> dict[str, Any]:
    """The stored listing as ListingForm's initial values."""
    attributes = {
        f"attr_{key}": ("yes" if value else "no") if isinstance(value, bool) else value
        for key, value in listing.attributes.items()
    }
    return {
        "category": listing.category.slug,
        "title": listing.title,
        "description": listing.description,
        "price": to_decimal(listing.price_minor, listing.currency),
        "delivery": listing.delivery,
        "asks_first": listing.asks_first,
        "version": listing.version,
        **attributes,
    }


class PhotosInput(forms.ClearableFileInput):
    allow_multiple_selected = True


class PhotosField(forms.FileField):
    """One or more files; cleans to a list."""

    widget = PhotosInput(attrs={"accept": "image/jpeg,image/png,image/webp", "multiple": True})

    def clean(self, data: Any, initial: Any = None) -> list[Any]:
        files = data if isinstance(data, list | tuple) else [data]
        return [super(PhotosField, self).clean(file, initial) for file in files]


class PhotosForm(forms.Form):
    photos = PhotosField(
        label=_("Photos"), help_text=_("JPEG, PNG or WebP, up to 10 MB each. Hide logins and mail addresses.")
    )


class CountForm(forms.Form):
    """How many pieces more, or fewer."""

    count = forms.IntegerField(label=_("Pieces"), min_value=1, max_value=MANUAL_LIMIT, initial=1)


class BulkStockForm(forms.Form):
    """One credential a line."""

    credentials = forms.CharField(
        label=_("Credentials, one a line"),
        strip=False,
        max_length=500_000,
        widget=forms.Textarea(
            attrs={"rows": 8, "autocomplete": "off", "spellcheck": "false", "dir": "ltr", "class": "code"}
        ),
    )


class OneStockForm(forms.Form):
    """One credential, a field each."""

    def __init__(self, *args: Any, fields: list[CategoryField], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for field in fields:
            attrs = {"autocomplete": "off", "spellcheck": "false", "dir": "auto"}
            self.fields[field.key] = forms.CharField(
                label=field.label, required=field.is_required, max_length=2000, strip=False,
                widget=forms.TextInput(attrs=attrs),
            )  # fmt: skip


class ReportForm(forms.Form):
    reason = forms.ChoiceField(label=_("What is wrong"), choices=ListingReport.Reason.choices, widget=forms.RadioSelect)
    text = forms.CharField(
        label=_("What should staff know"),
        required=False,
        max_length=1000,
        widget=forms.Textarea(attrs={"rows": 4}),
    )
