from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from chat.notification_texts import MUTABLE, TOPICS


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
