"""What kinds of thing are sold, and what is asked of each."""

from typing import ClassVar

from django.core.validators import RegexValidator
from django.db import models
from django.urls import reverse
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _

from accountsstore.models import Row


def in_language(english: str, arabic: str) -> str:
    """The text in the reader's language, English where no Arabic was given."""
    return arabic if arabic and get_language() == "ar" else english


class Category(Row):
    """What kind of thing is sold, which fields describe it, and how long its steps take. Made in the admin."""

    class Art(models.TextChoices):
        GAMES = "games", _("Games")
        SOFTWARE = "software", _("Software")
        SUBSCRIPTIONS = "subs", _("Subscriptions")
        GIFT_CODES = "gift", _("Gift codes")
        LEARNING = "learn", _("Learning")

    parent = models.ForeignKey("self", on_delete=models.PROTECT, null=True, blank=True, related_name="children")
    slug = models.SlugField(max_length=60, unique=True)
    name_en = models.CharField(_("name (English)"), max_length=60)
    name_ar = models.CharField(_("name (Arabic)"), max_length=60, blank=True)
    art = models.CharField(_("pattern"), max_length=10, choices=Art.choices, default=Art.GAMES)
    position = models.PositiveIntegerField(default=0)
    is_allowed = models.BooleanField(
        _("allowed"),
        default=True,
        help_text=_("Off: nothing is listed or sold here; open orders go on. Categories below have their own switch."),
    )
    # Empty takes the store's default (ORDER_… settings).
    deliver_hours = models.PositiveIntegerField(_("hours to deliver"), null=True, blank=True)
    inspect_hours = models.PositiveIntegerField(_("hours to inspect"), null=True, blank=True)
    warranty_days = models.PositiveIntegerField(_("days of warranty"), null=True, blank=True)

    class Meta:
        verbose_name = _("category")
        verbose_name_plural = _("categories")
        ordering: ClassVar = ["position", "slug"]
        indexes: ClassVar = [models.Index(fields=["position", "slug"], name="category_order")]

    def __str__(self) -> str:
        return self.name

    @property
    def name(self) -> str:
        return in_language(self.name_en, self.name_ar)

    def get_absolute_url(self) -> str:
        return f"{reverse('listings:browse')}?category={self.slug}"


class CategoryField(Row):
    """A field that a category asks for: an attribute everybody sees, or a part of the credentials."""

    class Use(models.TextChoices):
        ATTRIBUTE = "attribute", _("Attribute, shown to everybody")
        CREDENTIAL = "credential", _("Credential, handed to the buyer")

    class Kind(models.TextChoices):
        TEXT = "text", _("Text")
        NUMBER = "number", _("Whole number")
        CHOICE = "choice", _("One of a list")
        YES_NO = "yes_no", _("Yes or no")

    category = models.ForeignKey(Category, on_delete=models.CASCADE, related_name="fields")
    use = models.CharField(max_length=12, choices=Use.choices, default=Use.ATTRIBUTE)
    key = models.CharField(max_length=40, validators=[RegexValidator(r"^[a-z][a-z0-9_]*$")])
    label_en = models.CharField(_("label (English)"), max_length=60)
    label_ar = models.CharField(_("label (Arabic)"), max_length=60, blank=True)
    kind = models.CharField(max_length=8, choices=Kind.choices, default=Kind.TEXT)
    choices = models.TextField(
        _("choices"), blank=True, help_text=_("One a line. The Arabic text may follow a bar: Europe | أوروبا")
    )
    is_required = models.BooleanField(_("required"), default=True)
    # Offered as a filter in search (choice and yes/no attributes).
    is_facet = models.BooleanField(_("filter in search"), default=False)
    position = models.PositiveIntegerField(default=0)

    class Meta:
        verbose_name = _("category field")
        verbose_name_plural = _("category fields")
        ordering: ClassVar = ["position", "key"]
        constraints: ClassVar = [models.UniqueConstraint(fields=["category", "use", "key"], name="category_field_once")]
        indexes: ClassVar = [models.Index(fields=["category", "position"], name="categoryfield_category")]

    def __str__(self) -> str:
        return self.label

    @property
    def label(self) -> str:
        return in_language(self.label_en, self.label_ar)

    @property
    def choice_labels(self) -> dict[str, str]:
        """{stored value: text in the reader's language}, in order."""
        labels = {}
        for line in self.choices.splitlines():
            english, _, arabic = (part.strip() for part in line.partition("|"))
            if english:
                labels[english] = in_language(english, arabic)
        return labels

    @property
    def choice_list(self) -> list[str]:
        return list(self.choice_labels)
