"""Whether a message hands over an e-mail address, a phone number, or a name on another service.

People who are led away from the store are not protected by escrow, so the writer is warned first. Rules instead of a
model: they run in well under a millisecond, and who is warned can be told why. The words are English and Arabic;
chat/tests/contact_details.tsv holds what they are measured on.
"""

import re
import unicodedata

from django.utils.translation import gettext_lazy as _

from chat.errors import ContactDetails
from chat.models import Conversation
from listings.words import normalise

EMAIL, PHONE, HANDLE = "email", "phone", "handle"
WARNING = _(
    "This looks like contact details. Deals outside the store are not protected by escrow: nobody can give your money "
    "back."
)


def require_confirmed(conversation: Conversation, body: str, *, confirmed: bool) -> None:
    """Raises ContactDetails when the body hands over contact details and its writer did not say that they mean to.

    Support may need a number to call: nothing is asked there.
    """
    if not confirmed and conversation.kind != Conversation.Kind.TICKET and contact_details(body):
        raise ContactDetails(WARNING, field="body")


def contact_details(text: str) -> frozenset[str]:
    """The kinds of contact details that the text seems to hand over: of "email", "phone" and "handle"."""
    plain = _plain(text)
    found = set()
    if any(rule.search(plain) for rule in _EMAILS):
        found.add(EMAIL)
    if _has_phone(plain):
        found.add(PHONE)
    if any(rule.search(plain) for rule in _HANDLES):
        found.add(HANDLE)
    return frozenset(found)


# ---------------------------------------------------------------- one way to write everything

_SPELLED = re.compile(r"(?<![^\s])(?:[^\W\d_][ ]){3,}[^\W\d_](?![^\s])|(?<!\w)(?:[a-z0-9@.]\s){5,}[a-z0-9](?!\w)")
_AROUND_O = re.compile(r"(?<=\d)o(?=[\do\s.-]|$)|(?<![a-z])o(?=\d)")


def _plain(text: str) -> str:
    """Without case, accents, Arabic letter forms, foreign digits and invisible marks; letters and digits that stand
    one by one drawn together."""
    visible = "".join(c for c in text if unicodedata.category(c) != "Cf")
    plain = normalise(visible)
    plain = _SPELLED.sub(lambda match: re.sub(r"\s", "", match[0]), plain)
    return _AROUND_O.sub("0", plain)


def _words(*alternatives: str) -> str:
    return "(?:" + "|".join(alternatives) + ")"


# ---------------------------------------------------------------- e-mail

_PROVIDER = _words(
    "g ?mail", "googlemail", "hot ?mail", "outlook", "yahoo", "proton(?: ?mail)?", "icloud", "live", "gmx", "yandex",
    "جي ?ميل", "هوت ?ميل", "ياهو", "اوت ?لوك", "ايكلاود",
)  # fmt: skip
_TOP = _words("com", "net", "org", "me", "co", "io", "ru", "de", "uk", "كوم", "نت")
_AT = r"(?:\s?@\s?|\s?[(\[{<]\s?(?:at|@|ات)\s?[)\]}>]\s?|\s(?:at|ات)\s)"
_DOT = r"(?:\s?\.\s?|\s?[(\[{<]\s?(?:dot|\.|دوت|نقطه)\s?[)\]}>]\s?|\s(?:dot|دوت|نقطه)\s)"
_NOT_AN_ADDRESS = r"(?!not|the|still|already|in|on|now|also|gone|wrong|linked|changed|verified|blocked|included|a\b)"
_EMAILS = [
    re.compile(rule)
    for rule in (
        r"(?<![\w.+-])[\w.+-]{2,64}\s?@\s?[\w-]{2,63}\s?\.\s?[a-z]{2,}",
        rf"(?<![\w.+-])[\w.+-]{{2,64}}{_AT}[\w-]{{2,63}}{_DOT}{_TOP}\b",
        rf"(?<![\w.+-])[\w.+-]{{2,64}}\s?@\s?[\w-]{{2,63}} {_TOP}\b",
        # In brackets it is never a word.
        r"(?<![\w.+-])[\w.+-]{2,64}\s?[(\[{<]\s?(?:at|@)\s?[)\]}>]\s?\w{2,}",
        rf"(?<![\w.+-])[\w.+-]{{2,64}} (?:at|ات|@) {_PROVIDER}\b",
        rf"(?<![\w.+-])[\w.+-]{{3,64}} {_PROVIDER}(?:\s|{_DOT}){_TOP}\b",
        rf"\bmy (?:e-?mail|mail|{_PROVIDER})(?: address| name)?(?: is|\s?[:=]) ?{_NOT_AN_ADDRESS}[a-z0-9._-]{{3,}}",
        rf"\b{_PROVIDER}\s?[:=]\s?[a-z0-9._-]{{3,}}",
        rf"^{_PROVIDER} [a-z0-9._-]{{5,}}$",
        r"(?:ايميلي|بريدي)(?: الالكتروني)?\s?(?:هو|:)?\s?[a-z0-9._-]{3,}",
    )
]

# ---------------------------------------------------------------- phone

# Digits in groups. A comma, a colon or a slash ends a number: lists, times and dates.
_DIGITS = re.compile(r"(?<![\w.,:/#$€£-])(?:\+|00)?\s?\(?\d(?:[ ().\-]{0,3}\d){6,16}(?![\w:/%-])")
_GROUPED = re.compile(r"\(?\d{3}\)?[ .-]\d{3}[ .-]\d{2}[ .-]?\d{2}")
_DATE = re.compile(r"(?:19|20)\d\d[-. ][01]?\d[-. ][0-3]?\d|[0-3]?\d[-. ][01]?\d[-. ](?:19|20)\d\d")
_CALL = re.compile(
    r"\b(?:call|text|ring|reach|phone|msg|sms) (?:me|us)\b|\bmy (?:\w+ )?(?:number|phone|mobile|cell)\b"
    r"|\b(?:phone|mobile|cell|tel|whats ?app|viber|signal)(?: number| is|\s?[:=])"
    r"|رقمي|جوال|موبايل|هاتف|تلفون|اتصل|كلمني|واتس|وتساب|ايمو|فايبر"
)
_DIGIT_WORDS = re.compile(
    r"(?:\b(?:zero|oh|one|two|three|four|five|six|seven|eight|nine|صفر|واحد|اثنين|ثلاثه|اربعه|خمسه|سته|سبعه|ثمانيه|"
    r"ثمانيا|تسعه)\b[\s,.-]{0,3}){7,}"
)


def _has_phone(plain: str) -> bool:
    if _DIGIT_WORDS.search(plain):
        return True
    asked_to_call = bool(_CALL.search(plain))
    return any(_is_phone(match[0].strip(), asked_to_call) for match in _DIGITS.finditer(plain))


def _is_phone(written: str, asked_to_call: bool) -> bool:
    """`written` begins and ends with a digit, or begins with "+" or "(". Numbers have 7 to 15 digits (E.164)."""
    digits = re.sub(r"\D", "", written)
    if len(digits) > 15 or _DATE.match(written):
        return False
    if written.startswith(("+", "00")):
        return len(digits) >= 9
    if digits.startswith("0") or _GROUPED.fullmatch(written):
        return 9 <= len(digits) <= 12
    return asked_to_call


# ---------------------------------------------------------------- names and links on other services

# Nobody spells these so by accident.
_HIDDEN = _words("telegr@m", "tele gram", "te1egram", "disc0rd", "d1scord", "wh@tsapp", "insta gram", "1nstagram")
_SERVICE = _words(
    "telegram", "tele", "tg", "whats ?app", "what'?s ?app", "whatsap", "watsapp", "whats", "wa", "discord", "dc",
    "instagram", "insta", "ig", "snapchat", "snap", "facebook", "fb", "messenger", "skype", "wechat", "viber", "signal",
    "kik", "twitter", "imo", "line id", "vk", "tiktok", _HIDDEN,
)  # fmt: skip
_SERVICE_AR = (
    r"(?:وال|بال|لل|ال|ب|و)?"
    + _words(
        "واتس ?اب", "واتس", "وتس ?اب", "تل[ي]?جرام", "تل[ي]?غرام", "تيل[ي]?جرام", "تيل[ي]?غرام", "دي?سكورد",
        "انستا(?:قرام|غرام|جرام)?", "انستقرام", "انستغرام", "سناب(?: ?شات)?", "تويتر", "فيس ?بوك", "ماسنجر", "مسنجر",
        "سكايب", "ايمو", "فايبر", "تيك ?توك",
    )
    + r"(?!\w)"
)  # fmt: skip
_DEED = _words(
    "add", "message", "msg", "dm", "pm", "text", "write", "hit", "contact", "reach", "find", "ping", "talk", "chat",
    "continue", "move", "switch", "speak", "follow", "come", "deal",
)  # fmt: skip
_DEED_AR = _words(
    "راسل", "كلمن", "تواصل", "ضيفن", "ضفن", "اضفن", "تابعن", "ارسل", "تعال", "نكمل", "خلنا", "نتفق", "حسابي",
    "قناتي", "اضيفك", "اكلمك",
)  # fmt: skip
_NAME = r"(?=[a-z._]*[0-9_.])[a-z][\w.]{3,}"
_HANDLES = [
    re.compile(rule)
    for rule in (
        r"\b(?:t|telegram)\s?(?:\.|dot|\s)\s?me\s?(?:/|slash)\s?\w",
        r"\bwa\s?\.\s?me\s?/\s?\+?\w",
        r"\bdiscord\s?\.\s?gg\b|\bdiscord(?:app)?\.com/(?:invite|users)",
        r"\b(?:instagram|facebook|fb|twitter|x|vk|tiktok|threads)\.com/@?\w|\b(?:fb|m|line)\.me/\w|\bsnapchat\.com/add",
        r"\b(?:chat\.whatsapp|linktr\.ee|join\.skype)\b",
        r"(?<![\w#])(?!(?:order|rank|level|ticket|page|room|no)#)[a-z][a-z0-9._]{1,31}#\d{4}\b",
        rf"\b{_HIDDEN}\b",
        rf"\b{_DEED} (?:me|us)\b.{{0,25}}\b{_SERVICE}\b",
        rf"\b{_DEED}\b.{{0,25}} (?:on|via|over|through|to|by|at) (?:my |the )?{_SERVICE}\b",
        rf"\b(?:add|here is|here's|have) my {_SERVICE}\b",
        rf"\bmy {_SERVICE}(?: id| name| user(?:name)?| handle| tag)?(?: is|\s?[:=]) ?{_NOT_AN_ADDRESS}\w",
        rf"\bmy {_SERVICE} @?{_NAME}",
        rf"\b{_SERVICE}(?: id)?\s?[:=]\s?@?[a-z0-9]",
        rf"\b{_SERVICE},?\s@\w",
        rf"@[\w.]{{3,}} (?:on|in|at) {_SERVICE}\b",
        rf"\b{_SERVICE}(?: id)? {_NAME}",
        r"\bline id [a-z0-9][\w.]{3,}",
        rf"{_DEED_AR}.{{0,25}}(?<!\w){_SERVICE_AR}",
        rf"(?<!\w){_SERVICE_AR}\s?[:@]",
        rf"(?<!\w){_SERVICE_AR}\s@?[a-z][\w.]{{2,}}",
        r"(?<!\w)(?:سنابي|انستاي|تليجرامي|ديسكوردي|واتسابي|واتسي)(?!\w)",
        r"\boutside (?:of )?(?:the|this) (?:site|store|platform|website)\b|(?:برا|خارج|بره) الموقع",
    )
]
