"""What people's programs read in the store's pages. Knows no Django: load is generated on hosts that have no store."""

import html
import re

FORM_FIELD = re.compile(r'<input[^>]*name="([^"]+)"[^>]*value="([^"]*)"')
CONVERSATION = re.compile(r'data-chat="([0-9a-f]{32})"')


def form_fields(page: str) -> dict[str, str]:
    """{name: value} of the page's inputs that carry a value: what a browser would send back."""
    return {name: html.unescape(value) for name, value in FORM_FIELD.findall(page)}


def form_of(page: str, mark: str) -> str:
    """The form whose tag has this in it, such as `id="checkout"`; nothing when the page has none."""
    found = re.search(rf"<form[^>]*{re.escape(mark)}.*?</form>", page, re.DOTALL)
    return found[0] if found else ""
