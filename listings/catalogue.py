"""The categories a new store begins with. From then on they are edited in the admin, and this file changes nothing."""

import dataclasses
from typing import Any

from accountsstore.db import atomic
from listings.models import Category, CategoryField

Art, Kind, Use = Category.Art, CategoryField.Kind, CategoryField.Use


@dataclasses.dataclass(frozen=True, kw_only=True)
class CategoryPlan:
    """A category as it is first made. Durations of None take the store's defaults."""

    slug: str
    name_en: str
    name_ar: str
    art: str
    fields: tuple[dict[str, Any], ...]
    parent: str = ""
    deliver_hours: int | None = None
    inspect_hours: int | None = None
    warranty_days: int | None = None


def _attribute(key: str, english: str, arabic: str, kind: str = Kind.TEXT, **more: Any) -> dict[str, Any]:
    return {"use": Use.ATTRIBUTE, "key": key, "label_en": english, "label_ar": arabic, "kind": kind, **more}


def _choice(key: str, english: str, arabic: str, choices: str, **more: Any) -> dict[str, Any]:
    return _attribute(key, english, arabic, Kind.CHOICE, choices=choices, is_facet=True, **more)


def _secret(key: str, english: str, arabic: str, **more: Any) -> dict[str, Any]:
    return {"use": Use.CREDENTIAL, "key": key, "label_en": english, "label_ar": arabic, "kind": Kind.TEXT, **more}


OPTIONAL = {"is_required": False}

REGIONS = "Europe | أوروبا\nAmericas | الأمريكتان\nAsia | آسيا\nMiddle East | الشرق الأوسط\nWorldwide | كل العالم"
TERMS = "1 month | شهر\n3 months | 3 أشهر\n6 months | 6 أشهر\n12 months | 12 شهرًا\nLifetime | مدى الحياة"
SYSTEMS = "Windows\nmacOS\nLinux\nAndroid\niOS\nAny system | أي نظام"
LANGUAGES = (
    "English | الإنجليزية\nArabic | العربية\nSpanish | الإسبانية\nFrench | الفرنسية\nGerman | الألمانية\nOther | أخرى"
)

GAME = _attribute("game", "Game", "اللعبة")
REGION = _choice("region", "Region", "المنطقة", REGIONS)
MAIL_INCLUDED = _attribute(
    "email_included", "Email account included", "البريد الإلكتروني مشمول", Kind.YES_NO, is_facet=True
)
SERVICE = _attribute("service", "Service", "الخدمة")
TERM = _choice("term", "Runs for", "المدة", TERMS)
NEW_ACCOUNT = _attribute("new_account", "New account, never used", "حساب جديد لم يُستخدم", Kind.YES_NO, is_facet=True)

LOGIN = _secret("login", "Login", "اسم الدخول")
PASSWORD = _secret("password", "Password", "كلمة المرور")
MAIL = _secret("email", "Email address", "البريد الإلكتروني", **OPTIONAL)
MAIL_PASSWORD = _secret("email_password", "Email password", "كلمة مرور البريد", **OPTIONAL)
RECOVERY = _secret("recovery", "Recovery codes", "رموز الاسترداد", **OPTIONAL)
NOTES = _secret("notes", "Notes for the buyer", "ملاحظات للمشتري", **OPTIONAL)
LICENCE_KEY = _secret("licence_key", "Licence key", "مفتاح الترخيص")
WHERE = _secret("activate_at", "Where to activate it", "أين يُفعَّل", **OPTIONAL)

GAME_LOGIN = (LOGIN, PASSWORD, MAIL, MAIL_PASSWORD, RECOVERY, NOTES)
SITE_LOGIN = (LOGIN, PASSWORD, RECOVERY, NOTES)

CATEGORIES = (
    CategoryPlan(
        slug="game-accounts",
        name_en="Game accounts",
        name_ar="حسابات ألعاب",
        art=Art.GAMES,
        fields=(
            GAME,
            _attribute("level", "Level", "المستوى", Kind.NUMBER, **OPTIONAL),
            REGION,
            MAIL_INCLUDED,
            *GAME_LOGIN,
        ),
    ),
    CategoryPlan(
        slug="role-playing-games",
        parent="game-accounts",
        name_en="Role-playing games",
        name_ar="ألعاب تقمص الأدوار",
        art=Art.GAMES,
        fields=(
            GAME,
            _attribute("character", "Class or character", "الفئة أو الشخصية"),
            _attribute("level", "Level", "المستوى", Kind.NUMBER),
            REGION,
            MAIL_INCLUDED,
            *GAME_LOGIN,
        ),
    ),
    CategoryPlan(
        slug="shooters",
        parent="game-accounts",
        name_en="Shooters",
        name_ar="ألعاب التصويب",
        art=Art.GAMES,
        fields=(
            GAME,
            _choice(
                "rank",
                "Rank",
                "الرتبة",
                "Unranked | غير مصنف\nBronze | برونزي\nSilver | فضي\nGold | ذهبي\nPlatinum | بلاتيني\nDiamond | ألماسي",
            ),
            _attribute("skins", "Number of skins", "عدد الأشكال", Kind.NUMBER, **OPTIONAL),
            REGION,
            MAIL_INCLUDED,
            *GAME_LOGIN,
        ),
    ),
    CategoryPlan(
        slug="mobile-games",
        parent="game-accounts",
        name_en="Mobile games",
        name_ar="ألعاب الهاتف",
        art=Art.GAMES,
        fields=(
            GAME,
            _choice("platform", "Platform", "المنصة", "Android\niOS\nAndroid and iOS | Android وiOS"),
            _attribute("level", "Level", "المستوى", Kind.NUMBER, **OPTIONAL),
            MAIL_INCLUDED,
            *GAME_LOGIN,
        ),
    ),
    CategoryPlan(
        slug="software",
        name_en="Software licences",
        name_ar="تراخيص برامج",
        art=Art.SOFTWARE,
        warranty_days=14,
        fields=(
            _attribute("product", "Product", "المنتج"),
            _choice("system", "System", "النظام", SYSTEMS),
            TERM,
            _attribute("devices", "Devices", "عدد الأجهزة", Kind.NUMBER),
            LICENCE_KEY,
            WHERE,
            NOTES,
        ),
    ),
    CategoryPlan(
        slug="design-and-video",
        parent="software",
        name_en="Design and video",
        name_ar="التصميم والفيديو",
        art=Art.SOFTWARE,
        warranty_days=14,
        fields=(
            _attribute("product", "Product", "المنتج"),
            _choice("system", "System", "النظام", SYSTEMS),
            _choice("edition", "Edition", "الإصدار", "Personal | شخصي\nStudent | للطلاب\nBusiness | للأعمال"),
            TERM,
            _attribute("devices", "Devices", "عدد الأجهزة", Kind.NUMBER),
            LICENCE_KEY,
            WHERE,
            NOTES,
        ),
    ),
    CategoryPlan(
        slug="security-software",
        parent="software",
        name_en="Security",
        name_ar="برامج الحماية",
        art=Art.SOFTWARE,
        warranty_days=14,
        fields=(
            _attribute("product", "Product", "المنتج"),
            _choice("system", "System", "النظام", SYSTEMS),
            TERM,
            _attribute("devices", "Devices", "عدد الأجهزة", Kind.NUMBER),
            LICENCE_KEY,
            WHERE,
            NOTES,
        ),
    ),
    CategoryPlan(
        slug="subscriptions",
        name_en="Subscriptions",
        name_ar="اشتراكات",
        art=Art.SUBSCRIPTIONS,
        warranty_days=14,
        fields=(SERVICE, TERM, REGION, NEW_ACCOUNT, *SITE_LOGIN),
    ),
    CategoryPlan(
        slug="video-streaming",
        parent="subscriptions",
        name_en="Video streaming",
        name_ar="بث الفيديو",
        art=Art.SUBSCRIPTIONS,
        warranty_days=14,
        fields=(
            SERVICE,
            _choice("plan", "Plan", "الخطة", "Individual | فردية\nFamily | عائلية\nWith ads | مع إعلانات"),
            _attribute("screens", "Screens at once", "الشاشات في آن واحد", Kind.NUMBER),
            TERM,
            REGION,
            NEW_ACCOUNT,
            *SITE_LOGIN,
        ),
    ),
    CategoryPlan(
        slug="music",
        parent="subscriptions",
        name_en="Music",
        name_ar="موسيقى",
        art=Art.SUBSCRIPTIONS,
        warranty_days=14,
        fields=(
            SERVICE,
            _choice("plan", "Plan", "الخطة", "Individual | فردية\nDuo | لشخصين\nFamily | عائلية\nStudent | للطلاب"),
            TERM,
            REGION,
            NEW_ACCOUNT,
            *SITE_LOGIN,
        ),
    ),
    CategoryPlan(
        slug="vpn-and-storage",
        parent="subscriptions",
        name_en="VPN and cloud storage",
        name_ar="شبكات خاصة وتخزين سحابي",
        art=Art.SUBSCRIPTIONS,
        warranty_days=14,
        fields=(
            SERVICE,
            _attribute("devices", "Devices", "عدد الأجهزة", Kind.NUMBER, **OPTIONAL),
            _attribute("storage_gb", "Storage in GB", "المساحة بالغيغابايت", Kind.NUMBER, **OPTIONAL),
            TERM,
            NEW_ACCOUNT,
            *SITE_LOGIN,
        ),
    ),
    CategoryPlan(
        slug="gift-codes",
        name_en="Gift codes",
        name_ar="رموز هدايا",
        art=Art.GIFT_CODES,
        deliver_hours=6,
        inspect_hours=24,
        warranty_days=3,
        fields=(
            _attribute("brand", "Shop or brand", "المتجر أو العلامة"),
            _attribute("value", "Value", "القيمة"),
            REGION,
            _secret("code", "Code", "الرمز"),
            _secret("pin", "PIN", "الرقم السري", **OPTIONAL),
            NOTES,
        ),
    ),
    CategoryPlan(
        slug="courses",
        name_en="Courses and learning",
        name_ar="دورات وتعلم",
        art=Art.LEARNING,
        fields=(
            _attribute("provider", "Provider", "الجهة"),
            _attribute("subject", "Subject", "المادة"),
            _choice("language", "Language", "اللغة", LANGUAGES),
            TERM,
            NEW_ACCOUNT,
            *SITE_LOGIN,
        ),
    ),
)


@atomic
def catalogue_install() -> list[Category]:
    """Make the categories that are missing, with their fields; returns those. Safe to repeat: what is there stays."""
    known = {category.slug: category for category in Category.objects.all()}
    made = []
    for position, plan in enumerate(CATEGORIES):
        if plan.slug in known:
            continue
        category = Category.objects.create(
            slug=plan.slug,
            name_en=plan.name_en,
            name_ar=plan.name_ar,
            art=plan.art,
            parent=known.get(plan.parent),
            position=position * 10,
            deliver_hours=plan.deliver_hours,
            inspect_hours=plan.inspect_hours,
            warranty_days=plan.warranty_days,
        )
        CategoryField.objects.bulk_create(
            CategoryField(category=category, position=place * 10, **values) for place, values in enumerate(plan.fields)
        )
        known[plan.slug] = category
        made.append(category)
    return made
