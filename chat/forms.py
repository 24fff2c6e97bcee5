from collections.abc import Sequence
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from accountsstore.bidi import isolated
from chat.models import Message, MessageReport, Ticket
from chat.notes import message_text
from chat.notification_texts import MUTABLE, TOPICS
from chat.services.drafts import BODY_MAX
from chat.services.messages import preview
from payments.models import Order


class MailForm(forms.Form):
    """Which mails somebody wants. Those about money and security are not asked about."""

    wanted = forms.MultipleChoiceField(
        label=_("Send me a mail about"), required=False, widget=forms.CheckboxSelectMultiple
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["wanted"].choices = [(name, TOPICS[name].label) for name in TOPICS if name in MUTABLE]

    @property
    def muted(self) -> set[str]:
        return set(MUTABLE) - set(self.cleaned_data["wanted"])


class TicketForm(forms.Form):
    """A question to the staff; `order` cleans to the Order, or None."""

    topic = forms.ChoiceField(label=_("What is it about"), choices=[("", _("Choose")), *Ticket.Topic.choices])
    order = forms.ChoiceField(label=_("Which order"), required=False)
    body = forms.CharField(
        label=_("What happened, and what do you need"), max_length=BODY_MAX, widget=forms.Textarea(attrs={"rows": 7})
    )
    client_id = forms.CharField(max_length=40, widget=forms.HiddenInput)

    def __init__(self, *args: Any, orders: Sequence[Order], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._orders = {order.number: order for order in orders}
        self.fields["order"].choices = [
            ("", _("None")),
            *((order.number, f"{isolated(order.number)} {isolated(order.title)}") for order in orders),
        ]

    def clean_order(self) -> Order | None:
        return self._orders.get(self.cleaned_data["order"])


class MessageReportForm(forms.Form):
    """What is wrong with which message; `seq` cleans to its number, None for the conversation."""

    message = forms.ChoiceField(label=_("Which message"), required=False, widget=forms.RadioSelect)
    reason = forms.ChoiceField(label=_("What is wrong"), choices=MessageReport.Reason.choices, widget=forms.RadioSelect)
    text = forms.CharField(
        label=_("What should staff know"), required=False, max_length=1000, widget=forms.Textarea(attrs={"rows": 4})
    )

    def __init__(self, *args: Any, theirs: Sequence[Message], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["message"].choices = [
            ("", _("The whole conversation")),
            *((str(message.seq), isolated(preview(message_text(message), message.files))) for message in theirs),
        ]

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        chosen = cleaned.pop("message", "")
        return cleaned | {"seq": int(chosen) if chosen else None}
