import io

import pytest
from django.contrib.auth.models import Group
from django.core.management import CommandError, call_command
from django.test import Client
from django.urls import reverse

from accounts.models import User
from accountsstore.management.commands.bootstrap import GROUPS
from listings.catalogue import CATEGORIES
from listings.models import Category, CategoryField
from payments.models import DepositMethod

PASSWORD = "wide-river-quiet-lamp"


@pytest.fixture(autouse=True)
def _nobody_at_the_keyboard(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO())
    monkeypatch.setenv("BOOTSTRAP_PASSWORD", PASSWORD)


def bootstrap(*args: str) -> str:
    out = io.StringIO()
    call_command("bootstrap", "--email", "Owner@Example.com", "--username", "owner", *args, stdout=out)
    return out.getvalue()


@pytest.mark.django_db
def test_the_first_superuser_signs_in_without_a_code_and_reaches_the_admin(client: Client) -> None:
    bootstrap()
    client.post(reverse("account_login"), {"login": "owner@example.com", "password": PASSWORD})
    assert client.get(reverse("admin:index")).status_code == 200


@pytest.mark.django_db
def test_groups_categories_and_methods_are_made_and_named() -> None:
    said = bootstrap("--bank", "IBAN XX00 1111", "--wallet", "0500 000 000")
    assert set(Group.objects.values_list("name", flat=True)) == set(GROUPS)
    for name, permissions in GROUPS.items():
        held = {
            f"{app}.{code}"
            for app, code in Group.objects.get(name=name).permissions.values_list("content_type__app_label", "codename")
        }
        assert held == set(permissions)
    assert Category.objects.count() == len(CATEGORIES) >= 12
    assert "IBAN XX00 1111" in DepositMethod.objects.get(code="bank", is_active=True).instructions_en
    assert all(name in said for name in ("owner@example.com", "Reviewers", "gift-codes", "bank, wallet"))


@pytest.mark.django_db
def test_a_method_without_an_account_is_not_offered_and_the_command_says_so() -> None:
    said = bootstrap("--bank", "IBAN XX00 1111")
    assert list(DepositMethod.objects.filter(is_active=True).values_list("code", flat=True)) == ["bank"]
    assert "“E-wallet” is not offered yet" in said and "“Bank transfer”" not in said


@pytest.mark.django_db
def test_a_second_run_makes_nothing_and_keeps_what_the_store_has_changed() -> None:
    bootstrap("--bank", "IBAN XX00 1111")
    Category.objects.filter(slug="music").update(name_en="Sound")
    Group.objects.get(name="Payouts").permissions.clear()
    DepositMethod.objects.filter(code="bank").update(instructions_en="Ours.")
    counts = (Category.objects.count(), CategoryField.objects.count(), User.objects.count())
    said = bootstrap("--bank", "IBAN YY99 2222")
    assert said.count("all there already") == 3 and "there is one already" in said
    assert (Category.objects.count(), CategoryField.objects.count(), User.objects.count()) == counts
    assert Category.objects.get(slug="music").name_en == "Sound"
    assert not Group.objects.get(name="Payouts").permissions.exists()
    assert DepositMethod.objects.get(code="bank").instructions_en == "Ours."


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("args", "sentence"),
    [
        (["--username", ""], "BOOTSTRAP_USERNAME"),
        (["--username", "a b"], "3 to 30 letters"),
        (["--email", "nonsense"], "valid email"),
    ],
)
def test_a_superuser_that_cannot_be_made_stops_with_a_sentence(args: list[str], sentence: str) -> None:
    with pytest.raises(CommandError, match=sentence):
        bootstrap(*args)
    assert not User.objects.exists()
    assert not Category.objects.exists()


@pytest.mark.django_db
def test_a_weak_password_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BOOTSTRAP_PASSWORD", "password")
    with pytest.raises(CommandError, match="too common"):
        bootstrap()
    assert not User.objects.exists()


@pytest.mark.django_db
def test_without_a_password_and_nobody_to_ask_it_says_what_to_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("BOOTSTRAP_PASSWORD")
    with pytest.raises(CommandError, match="BOOTSTRAP_PASSWORD"):
        bootstrap()


def test_every_category_has_a_field_to_describe_it_a_secret_and_arabic() -> None:
    slugs = set()
    for plan in CATEGORIES:
        uses = {field["use"] for field in plan.fields}
        assert uses == {"attribute", "credential"}, plan.slug
        keys = [(field["use"], field["key"]) for field in plan.fields]
        assert len(keys) == len(set(keys)), plan.slug
        assert plan.name_ar and all(field["label_ar"] for field in plan.fields), plan.slug
        assert not plan.parent or plan.parent in slugs, f"{plan.slug}: its parent must stand above it"
        slugs.add(plan.slug)
    assert len(slugs) == len(CATEGORIES)


@pytest.mark.django_db
def test_every_field_of_the_catalogue_is_one_that_the_admin_would_take() -> None:
    bootstrap()
    for field in CategoryField.objects.select_related("category"):
        field.full_clean()
