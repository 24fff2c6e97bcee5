"""What a template draws the same each time is drawn once for each language, and what it does not is left alone."""

from collections.abc import Iterator

import pytest
from django.template import Context, Engine, Template
from django.template.base import Node
from django.urls import get_script_prefix, set_script_prefix
from django.utils import translation
from hypothesis import given
from hypothesis import strategies as st

from accountsstore.template_folding import SteadyNode, fold

STEADY = [
    "{% url 'help' %}",
    "{% url 'payments:order' 'O-1' %}",
    "{% icon 'bell' %}",
    "{% icon 'bell' 'mini' 'size-4' %}",
    "{% static 'favicon.svg' %}",
    "{% translate 'Orders' %}",
    "{% translate 'Buyer & seller' %}",
    "<b>&amp;</b>",
    "{# nothing #}",
]
CHANGING = [
    "{{ name }}",
    "{% url 'payments:order' name %}",
    "{% icon name %}",
    "{% translate name %}",
    "{% translate 'Orders' as kept %}{{ kept }}",
    "{% url 'help' as kept %}{{ kept }}",
    "{% translate 'May' context 'verb' %}",
    "{% blocktranslate %}Hello {{ name }}{% endblocktranslate %}",
    "{% current 'help' %}",
    "{% csrf_token %}",
]


def made(text: str, folded: bool = True) -> Template:
    template = Template(text, engine=Engine.get_default())
    if folded:
        fold(template.nodelist)
    return template


def steady(template: Template) -> list[Node]:
    return template.nodelist.get_nodes_by_type(SteadyNode)


@pytest.fixture
def prefix() -> Iterator[None]:
    before = get_script_prefix()
    yield
    set_script_prefix(before)


def test_a_run_of_steady_tags_is_one_node_and_is_drawn_once() -> None:
    template = made("".join(STEADY))
    [run] = template.nodelist
    first = template.render(Context())
    run._nodes.clear()
    assert template.render(Context()) == first != ""


@pytest.mark.parametrize("text", CHANGING)
def test_what_depends_on_the_page_is_left_alone(text: str) -> None:
    assert steady(made(text)) == []


def test_each_language_has_its_own() -> None:
    template = made("{% translate 'Orders' %}")
    for _ in range(2):
        texts = []
        for language in ("en", "ar"):
            with translation.override(language):
                texts.append(template.render(Context()))
        assert texts[0] == "Orders" and texts[1] not in ("", "Orders")


def test_text_of_a_mail_is_not_escaped_because_a_page_was() -> None:
    template = made("""{% url 'payments:order' "O'1" %}""")
    for _ in range(2):
        assert template.render(Context()) == "/orders/O&#x27;1/"
        assert template.render(Context(autoescape=False)) == "/orders/O'1/"


def test_a_prefix_that_a_request_names_is_in_no_other_answer(prefix: None) -> None:
    template = made("{% url 'help' %}")
    for path in ("/shop/", "/", "/other/", "/"):
        set_script_prefix(path)
        assert template.render(Context()) == f"{path}help/"


@given(st.lists(st.sampled_from(STEADY + CHANGING[:8]), max_size=12), st.booleans())
def test_a_page_reads_as_without_folding(parts: list[str], shown: bool) -> None:
    half = len(parts) // 2
    text = (
        "".join(parts[:half])
        + "{% if shown %}" + "".join(parts) + "{% else %}" + "".join(parts[half:]) + "{% endif %}"
        + "{% for n in 'ab' %}" + "".join(parts[half:]) + "{% empty %}-{% endfor %}"
    )  # fmt: skip
    plain, folded = made(text, folded=False), made(text)
    fold(folded.nodelist)
    for _ in range(2):
        texts = [each.render(Context({"name": "bell", "shown": shown})) for each in (folded, plain)]
        assert texts[0] == texts[1]


def test_a_block_in_a_page_that_extends_another_keeps_its_place() -> None:
    assert steady(Engine.get_default().get_template("base.html"))
    child = made("{% extends 'base.html' %}{% block title %}{% translate 'Orders' %}{% endblock %}")
    assert len(steady(child)) == 1


@pytest.mark.parametrize(
    "around",
    ["if name %}x{% elif name %}{}{% else %}{% endif", "for n in 'ab' %}{}{% endfor", "with n=1 %}{}{% endwith"],
)
def test_runs_inside_of_other_tags_are_found(around: str) -> None:
    assert len(steady(made("{% " + around.replace("{}", "{% url 'help' %}") + " %}"))) == 1
