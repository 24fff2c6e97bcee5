"""What people type into the money pages. Services decide; forms read the fields and keep what was typed."""

from typing import Any

from django import forms
from django.conf import settings
from django.utils.translation import gettext_lazy as _

from accountsstore.errors import StoreError
from accountsstore.money import format_minor, parse_minor
from listings.models import CategoryField
from payments.models import DepositMethod, Dispute, PayoutMethod


class AmountField(forms.CharField):
    """ "25.00" → 2500 minor units of the store's currency; anything else is answered with a sentence."""

    default_error_messages = {"required": _("Write the amount.")}

    def __init__(self, **kwargs: Any) -> None:
        widget = forms.TextInput(attrs={"inputmode": "decimal", "autocomplete": "off", "dir": "ltr"})
        super().__init__(max_length=24, widget=widget, **kwargs)

    def clean(self, value: Any) -> Any:
        text = super().clean(value)
        if not text:
            return None
        try:
            return parse_minor(text)
        except StoreError as error:
            raise forms.ValidationError(str(error)) from None


def add_error(form: forms.Form, error: StoreError, default: str | None = None) -> None:
    """Put a service's refusal beside the field it names, or above the form."""
    field = error.field if error.field in form.fields else default
    form.add_error(field, str(error))


class CheckoutForm(forms.Form):
    """Hidden: what the buyer saw, and the page's key, by which a second submit finds the first order."""

    expected_price = forms.IntegerField(widget=forms.HiddenInput, min_value=0)
    expected_version = forms.IntegerField(widget=forms.HiddenInput, min_value=0)
    checkout_key = forms.RegexField(r"^[0-9a-f]{32}$", widget=forms.HiddenInput)
    terms_version = forms.CharField(widget=forms.HiddenInput, max_length=20)
    terms = forms.BooleanField(label=_("I accept the terms"), required=False)  # the service asks for it


class NoteForm(forms.Form):
    note = forms.CharField(max_length=500, required=False, widget=forms.Textarea(attrs={"rows": 2}))


class OfferAcceptForm(forms.Form):
    refund = forms.IntegerField(min_value=0, widget=forms.HiddenInput)


class OfferForm(forms.Form):
    refund = AmountField(label=_("Back to the buyer"))


class DisputeForm(forms.Form):
    reason = forms.ChoiceField(
        label=_("What is wrong?"),
        choices=[("", _("Choose")), *Dispute.Reason.choices],
        error_messages={"required": _("Choose what is wrong.")},
    )
    text = forms.CharField(
        label=_("What happened?"),
        help_text=_("What you did, what you saw, and what you expect. The seller and our staff read it."),
        max_length=2000,
        widget=forms.Textarea(attrs={"rows": 5}),
        error_messages={"required": _("Say what is wrong: the seller and our staff read it.")},
    )


class CredentialForm(forms.Form):
    """One field for each part of the category's credential. Nothing is altered: a password may hold any character."""

    def __init__(self, *args: Any, fields: list[CategoryField], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for field in fields:
            self.fields[field.key] = forms.CharField(
                label=field.label,
                required=field.is_required,
                strip=False,
                error_messages={"required": _("Fill in “%(field)s”.") % {"field": field.label}},
                widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false", "dir": "auto"}),
            )


class RevealForm(forms.Form):
    """The password is empty while a proof of a few minutes ago still stands."""

    field = forms.CharField(max_length=40, widget=forms.HiddenInput)
    password = forms.CharField(
        label=_("Your password"),
        required=False,
        strip=False,
        max_length=128,
        widget=forms.PasswordInput(attrs={"autocomplete": "current-password"}),
    )


class ReviewForm(forms.Form):
    rating = forms.TypedChoiceField(
        label=_("Stars"),
        coerce=int,
        choices=[(n, str(n)) for n in range(5, 0, -1)],
        widget=forms.RadioSelect,
        error_messages={"required": _("Give 1 to 5 stars.")},
    )
    text = forms.CharField(
        label=_("What should others know?"), required=False, max_length=1000, widget=forms.Textarea(attrs={"rows": 3})
    )


class ReplyForm(forms.Form):
    reply = forms.CharField(
        label=_("Your answer"),
        max_length=1000,
        widget=forms.Textarea(attrs={"rows": 3}),
        error_messages={"required": _("Write an answer.")},
    )


class DepositForm(forms.Form):
    """`code` is the store's reference, shown before the payment; it also makes a second submit find the first."""

    code = forms.RegexField(r"^DP-[0-9A-Z]{9}$", widget=forms.HiddenInput)
    next = forms.CharField(required=False, widget=forms.HiddenInput)
    amount = AmountField(label=_("Amount"))
    transfer_reference = forms.CharField(
        label=_("Transfer reference"),
        max_length=64,
        widget=forms.TextInput(attrs={"autocomplete": "off", "dir": "ltr", "spellcheck": "false"}),
        error_messages={"required": _("Write the reference as it stands on your receipt.")},
    )
    proof = forms.FileField(
        label=_("Proof of payment"),
        required=False,  # the service asks for it, with its own sentence
        widget=forms.FileInput(attrs={"accept": "image/jpeg,image/png,image/webp,application/pdf"}),
    )

    def __init__(self, *args: Any, method: DepositMethod, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["transfer_reference"].label = method.reference_label
        self.fields["amount"].help_text = _("%(low)s to %(high)s") % {
            "low": format_minor(settings.DEPOSIT_MIN_MINOR, method.currency),
            "high": format_minor(settings.DEPOSIT_MAX_MINOR, method.currency),
        }


class DepositAgainForm(forms.Form):
    transfer_reference = DepositForm.base_fields["transfer_reference"]
    proof = forms.FileField(
        label=_("Another proof, if one was asked for"),
        required=False,
        widget=forms.FileInput(attrs={"accept": "image/jpeg,image/png,image/webp,application/pdf"}),
    )


class PasswordMixin(forms.Form):
    password = forms.CharField(
        label=_("Your password"),
        strip=False,
        max_length=128,
        widget=forms.PasswordInput(attrs={"autocomplete": "current-password"}),
        error_messages={"required": _("Enter your password.")},
    )


class PayoutMethodForm(PasswordMixin):
    kind = forms.ChoiceField(label=_("How you are paid"), choices=PayoutMethod.Kind.choices)
    holder = forms.CharField(
        label=_("Name of the holder"),
        max_length=120,
        error_messages={"required": _("Write the name that the account is held under.")},
    )
    details = forms.CharField(
        label=_("IBAN, account or wallet number"),
        max_length=80,
        help_text=_("Kept encrypted. Pages only ever show the last four characters."),
        widget=forms.TextInput(attrs={"autocomplete": "off", "dir": "ltr", "spellcheck": "false"}),
        error_messages={"required": _("Write the account number or IBAN.")},
    )
    field_order = ["kind", "holder", "details", "password"]


class WithdrawalForm(PasswordMixin):
    request_key = forms.RegexField(r"^[0-9a-f]{32}$", widget=forms.HiddenInput)
    amount = AmountField(label=_("Amount"))
    payout_method = forms.ChoiceField(
        label=_("To"), widget=forms.RadioSelect, error_messages={"required": _("Choose where the money goes.")}
    )
    field_order = ["request_key", "amount", "payout_method", "password"]

    def __init__(self, *args: Any, methods: list[PayoutMethod], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["payout_method"].choices = [
            (method.pk.hex, f"{method.get_kind_display()} {method.masked}, {method.holder}") for method in methods
        ]


class StatementForm(forms.Form):
    since = forms.DateField(label=_("From"), widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"))
    until = forms.DateField(label=_("To"), widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"))

    def __init__(self, *args: Any, longest_days: int, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.longest_days = longest_days

    def clean(self) -> dict[str, Any]:
        data = self.cleaned_data
        since, until = data.get("since"), data.get("until")
        if since and until:
            if since > until:
                self.add_error("until", _("The last day is before the first."))
            elif (until - since).days > self.longest_days:
                self.add_error("until", _("A statement covers at most %(days)d days.") % {"days": self.longest_days})
        return data
