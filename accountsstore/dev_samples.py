"""What the gallery of components shows: one sample of everything."""

import datetime
from typing import Any

from django import forms

from accountsstore.templatetags.store import LOOKS


class ExampleForm(forms.Form):
    """One field of each recipe, for the gallery."""

    email = forms.EmailField(label="Email address", help_text="We write here when an order needs you.")
    password = forms.CharField(label="Password", widget=forms.PasswordInput)
    amount = forms.DecimalField(
        label="Amount", min_value=5, error_messages={"min_value": "The smallest deposit is $5.00."}
    )
    method = forms.ChoiceField(label="Method", choices=[("bank", "Bank transfer"), ("cash", "Cash counter")])
    speed = forms.ChoiceField(
        label="Delivery", choices=[("now", "At once, from stock"), ("hand", "By hand")], widget=forms.RadioSelect
    )
    note = forms.CharField(label="Note", widget=forms.Textarea(attrs={"rows": 3}), required=False)
    proof = forms.FileField(label="Proof of payment", help_text="JPEG, PNG, WebP or PDF, up to 10 MB", required=False)
    terms = forms.BooleanField(label="I accept the terms of the store.")


def samples(now: datetime.datetime) -> dict[str, Any]:
    """The context of the gallery; `now` is the moment its deadlines count from."""
    return {
        "start": now - datetime.timedelta(hours=27),
        "far": now + datetime.timedelta(days=3, hours=5),
        "due": now + datetime.timedelta(hours=21, minutes=14),
        "soon": now + datetime.timedelta(hours=3, minutes=5),
        "last": now + datetime.timedelta(minutes=38, seconds=20),
        "over": now - datetime.timedelta(minutes=1),
        "crumbs": [{"label": "Home", "href": "/"}, {"label": "Game accounts", "href": "/"}, {"label": "Emberfall"}],
        "tabs": [
            {"label": "All", "href": "#", "current": True},
            {"label": "Deposits", "href": "#", "count": 3},
            {"label": "Orders", "href": "#"},
        ],
        "hold_checking": [
            {"label": "You", "note": "paid 18:40", "state": "past"},
            {"label": "In escrow", "note": "$38.00", "state": "now", "icon": "lock-closed"},
            {"label": "Warranty", "note": "7 days after you accept", "state": "next"},
            {"label": "northpine", "note": "not yet paid", "state": "next"},
        ],
        "hold_warranty": [
            {"label": "You", "note": "paid 18:40", "state": "past"},
            {"label": "Escrow", "note": "accepted 21:30", "state": "past"},
            {"label": "Warranty", "note": "$38.00 until 2 Dec", "state": "now", "icon": "shield-check"},
            {"label": "northpine", "note": "not yet paid", "state": "next"},
        ],
        "hold_paid": [
            {"label": "You", "note": "paid", "state": "past"},
            {"label": "Escrow", "note": "released", "state": "past"},
            {"label": "northpine", "note": "$34.96", "state": "now", "icon": "check"},
        ],
        "hold_refunded": [
            {"label": "You", "note": "$38.00 returned", "state": "now", "icon": "arrow-uturn-left"},
            {"label": "Escrow", "note": "empty", "state": "next"},
            {"label": "northpine", "note": "not paid", "state": "next"},
        ],
        "timeline": [
            {"title": "Paid into escrow", "note": "Mon 23 Nov, 18:40", "state": "past"},
            {"title": "Delivered by northpine", "note": "Mon 23 Nov, 18:44, after 4 min", "state": "past"},
            {"title": "You check the account", "note": "until Wed 25 Nov, 18:44", "state": "now"},
            {"title": "Warranty, 7 days", "note": "the money stays in escrow", "state": "next"},
            {"title": "northpine is paid", "note": "$34.96, the price less the fee", "state": "next"},
        ],
        "steps": [
            {
                "title": "You pay into escrow",
                "text": "The seller sees that the money is there, and cannot touch it.",
                "time": "now",
            },
            {
                "title": "The seller delivers",
                "text": "The login appears on your order page.",
                "time": "within 24 hours",
            },
        ],
        "states": list(LOOKS),
        "arts": ["games", "software", "subs", "gift", "learn"],
    }
