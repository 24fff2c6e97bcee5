"""The page shell: forms, header figures, deadlines, error pages."""

import datetime

import pytest
from django import forms
from django.contrib.auth.models import AnonymousUser
from django.http import HttpResponse, HttpResponseRedirect
from django.template import engines
from django.test import RequestFactory
from django.utils import timezone, translation
from django_cotton.compiler_regex import CottonCompiler

from accounts.models import User
from accounts.tests.factories import UserFactory
from accountsstore import context, views
from accountsstore.errors import Conflict
from accountsstore.middleware import ScriptedUploadMiddleware, StoreErrorMiddleware
from accountsstore.rows import Figure
from accountsstore.templatetags import store as tags


class SignForm(forms.Form):
    email = forms.EmailField(help_text="We write here.")
    password = forms.CharField(widget=forms.PasswordInput)
    method = forms.ChoiceField(choices=[("a", "A"), ("b", "B")], widget=forms.RadioSelect)
    proof = forms.FileField(required=False)
    token = forms.CharField(widget=forms.HiddenInput, required=False)


class SomeUser:
    is_authenticated = True


def drawn(source: str, **values: object) -> str:
    return engines["django"].from_string(CottonCompiler().process(source)).render(values, RequestFactory().get("/"))


def test_a_field_with_an_error_names_its_help_and_error_to_screen_readers() -> None:
    page = drawn('<c-field :field="form.email" autocomplete="email" />', form=SignForm({"email": "no"}))
    assert 'aria-invalid="true"' in page
    assert 'aria-describedby="id_email_helptext id_email_error"' in page
    assert 'id="id_email_helptext"' in page
    assert 'id="id_email_error"' in page
    assert 'autocomplete="email"' in page
    assert 'class="input"' in page
    assert "is-invalid" in page


def test_a_field_without_errors_is_not_marked_invalid() -> None:
    page = drawn('<c-field :field="form.email" />', form=SignForm())
    assert "is-invalid" not in page
    assert "aria-invalid" not in page


def test_help_given_in_the_page_is_named_too() -> None:
    page = drawn('<c-field :field="form.password" help="Ten characters or more." />', form=SignForm())
    assert "Ten characters or more." in page


def test_a_whole_form_comes_out_in_the_recipes_with_its_hidden_fields() -> None:
    page = str(SignForm({"email": "a@b.example"}))
    assert 'type="hidden" name="token"' in page
    assert "<fieldset" in page
    assert "data-upload" in page
    assert "data-show-password" in page
    assert "banner-error" in page


def test_what_people_write_is_escaped_in_components() -> None:
    page = drawn(
        '<c-heading :title="title" text="" />{% art title %}{% stars title title %}', title="<script>alert(1)</script>"
    )
    assert "<script>" not in page
    assert "&lt;script&gt;" in page


def test_a_counter_runs_once_and_only_for_somebody_signed_in(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(context, "_counters", {})
    monkeypatch.setattr(context, "_figures", {})
    asked: list[object] = []
    context.register_counter("messages", lambda user: asked.append(user) or 2)  # type: ignore[func-returns-value]
    counts = context.Counts(SomeUser())
    assert (counts.messages, counts.messages, len(asked)) == (2, 2, 1)
    assert context.Counts(AnonymousUser()).messages == 0
    assert counts.orders == 0
    assert len(asked) == 1


@pytest.mark.django_db
def test_the_figures_of_every_page_are_asked_for_together_when_one_is_printed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(context, "_figures", {})
    users = [UserFactory() for _ in range(3)]
    context.register_figure("people", lambda user: Figure(User))
    context.register_figure("customers", lambda user: Figure(User, {"is_staff": False}), "{} of them".format)
    counts = context.Counts(users[0])
    assert counts.unknown == 0
    assert counts.people == 3
    users[1].delete()
    assert (counts.customers, counts.people) == ("3 of them", 3)
    assert context.Counts(AnonymousUser()).people == 0


@pytest.mark.parametrize(
    ("span", "words"),
    [
        (datetime.timedelta(days=3, hours=5, seconds=30), "3 d 5 h"),
        (datetime.timedelta(hours=21, minutes=4, seconds=30), "21 h 04 min"),
        (datetime.timedelta(minutes=38, seconds=20, milliseconds=900), "38 min 20 s"),
        (datetime.timedelta(seconds=-1), "time is over"),
    ],
)
def test_a_deadline_says_how_long_is_left(
    span: datetime.timedelta, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = timezone.now()
    monkeypatch.setattr(tags.timezone, "now", lambda: now)
    assert tags.time_left(now + span) == words


@pytest.mark.parametrize(("hours", "level"), [(7, ""), (5, "soon"), (0.5, "last"), (-1, "last")])
def test_a_deadline_changes_its_colour_when_it_comes_near(hours: float, level: str) -> None:
    assert tags.deadline_level(timezone.now() + datetime.timedelta(hours=hours)) == level


def test_every_state_of_the_store_has_a_badge_of_its_own_look() -> None:
    from accounts.models import SellerApplication, SellerProfile, User
    from listings.models import Listing
    from payments.states import DepositState, OrderState, WithdrawalState

    kinds = (OrderState, DepositState, WithdrawalState, Listing.State, SellerApplication.State, SellerProfile.State)
    states = {value for kind in (*kinds, User.Status) for value in kind.values}
    assert {state for state in states if tags.look(state)["icon"] == "minus-circle"} == set()


def test_an_upload_by_script_is_told_where_to_go() -> None:
    answer = ScriptedUploadMiddleware(lambda request: HttpResponseRedirect("/wallet/"))
    scripted = RequestFactory().post("/", headers={"X-Upload": "progress"})
    assert answer(scripted).content == b'{"location": "/wallet/"}'
    assert answer(RequestFactory().post("/")).status_code == 302
    page = ScriptedUploadMiddleware(lambda request: HttpResponse("errors"))
    assert page(scripted).content == b"errors"


def test_the_page_for_a_broken_store_asks_nothing_of_the_database() -> None:
    # No database mark on this test: a query would fail it.
    answer = views.server_error(RequestFactory().get("/"))
    assert answer.status_code == 500
    assert "Money in escrow stays where it is" in answer.content.decode()


@pytest.mark.parametrize(
    ("referer", "back"), [("http://testserver/orders/AS-1/", True), ("https://elsewhere.example/", False), ("", False)]
)
def test_a_refusal_leads_back_to_the_page_before_but_to_no_other_site(
    referer: str, back: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown: dict[str, object] = {}

    def note(request: object, template: str, values: dict[str, object], status: int) -> HttpResponse:
        shown.update(values, status=status)
        return HttpResponse(status=status)

    monkeypatch.setattr("accountsstore.middleware.render", note)
    request = RequestFactory().post("/orders/AS-1/accept/", headers={"Referer": referer})
    StoreErrorMiddleware(HttpResponse).process_exception(request, Conflict())
    assert shown["back"] == (referer if back else "")
    assert shown["status"] == 409


def test_times_are_written_in_the_readers_language() -> None:
    moment = timezone.now().replace(month=11, day=25, hour=18, minute=44)
    with translation.override("en"):
        assert "25 Nov, 18:44" in tags.when(moment)
    with translation.override("ar"):
        assert "Nov" not in tags.when(moment)
