"""Words as the search compares them: what two people write differently and mean alike becomes the same."""

import re
import unicodedata

from listings.models import CategoryField, Listing

WORD_LIMIT = 40
# A listing is found by its title, category and attributes, and by so many different words of its description.
DESCRIPTION_WORDS = 150
QUERY_WORDS = 8

# Decomposing takes care of accents, of hamza above and below (أ إ ؤ ئ آ) and of short vowels. These forms stay.
_SAME_LETTER = str.maketrans(
    {"ٱ": "ا", "ى": "ي", "ی": "ي", "ک": "ك", "ة": "ه", "ۀ": "ه", "ـ": "", "ı": "i", "ø": "o", "ł": "l", "đ": "d"}
)
_WORD = re.compile(r"[^\W_]+")


def normalise(text: str) -> str:
    """Case, accents, short vowels, Arabic letter forms and foreign digits removed: "Élite" → "elite", "إلكتروني١" →
    "الكتروني1"."""
    decomposed = unicodedata.normalize("NFKD", text.casefold())
    plain = "".join(_digit(c) for c in decomposed if not unicodedata.combining(c))
    return plain.translate(_SAME_LETTER).casefold()


def _digit(character: str) -> str:
    value = unicodedata.digit(character, None)
    return character if value is None else str(value)


def words(text: str) -> list[str]:
    """The different normalised words of a text, in order, without the Arabic article; longer ones are cut to 40
    characters."""
    found = (word[2:] if word.startswith("ال") and len(word) > 4 else word for word in _WORD.findall(normalise(text)))
    return list(dict.fromkeys(word[:WORD_LIMIT] for word in found))


def query_words(text: str) -> list[str]:
    """What a search box asks for. Words beyond the eighth are left out."""
    return words(text[:200])[:QUERY_WORDS]


def facet_term(key: str, value: object) -> str:
    """How a choice or yes/no attribute stands among the terms. No word begins with "="."""
    return f"={key}:{value}"[:110]


def listing_terms(listing: Listing, fields: list[CategoryField]) -> set[str]:
    """Everything that a listing is found by. `fields` are its category's attribute fields."""
    category = listing.category
    texts = [listing.title, category.name_en, category.name_ar]
    terms = set()
    for field in fields:
        value = listing.attributes.get(field.key)
        if value is None:
            continue
        if field.kind in (CategoryField.Kind.CHOICE, CategoryField.Kind.YES_NO):
            terms.add(facet_term(field.key, value))
        if field.kind == CategoryField.Kind.CHOICE:
            texts += [line for line in field.choices.splitlines() if line.partition("|")[0].strip() == value]
        elif field.kind == CategoryField.Kind.YES_NO:
            texts += [field.label_en, field.label_ar] if value else []
        else:
            texts.append(str(value))
    terms.update(words(" ".join(texts)))
    terms.update(words(listing.description)[:DESCRIPTION_WORDS])
    return terms
