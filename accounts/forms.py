"""What people type in about themselves, and allauth's forms in the store's words."""

from typing import Any, ClassVar

from allauth.account import forms as allauth_forms
from django import forms
from django.conf import settings
from django.utils.translation import gettext_lazy as _

from accounts.errors import WrongPassword
from accounts.models import SellerApplication, User
from accounts.services import password_require

PASSWORD_HELP = _("At least 10 characters. Three or four unrelated words make a good one.")


class _InOurWords(forms.Form):
    """Takes allauth's placeholders away, which repeat each label, and its help with HTML in it."""

    labels: ClassVar[dict[str, Any]] = {}
    helps: ClassVar[dict[str, Any]] = {}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name, field in self.fields.items():
            field.widget.attrs.pop("placeholder", None)
            field.label = self.labels.get(name, field.label)
            field.help_text = self.helps.get(name, "")


class LoginForm(_InOurWords, allauth_forms.LoginForm):
    pass


class SignUpForm(_InOurWords, allauth_forms.SignupForm):
    helps: ClassVar = {
        "username": _("3 to 30 letters a to z, digits, - or _. Everybody sees it."),
        "password1": PASSWORD_HELP,
    }


class _Code(_InOurWords):
    """One field for the digits, so that a phone offers to fill it from the mail."""

    labels: ClassVar = {"code": _("6-digit code")}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["code"].widget.attrs |= {"inputmode": "numeric", "dir": "ltr", "maxlength": "12"}


class EmailCodeForm(_Code, allauth_forms.ConfirmEmailVerificationCodeForm):
    pass


class ResetCodeForm(_Code, allauth_forms.ConfirmPasswordResetCodeForm):
    pass


class PasswordForgottenForm(_InOurWords, allauth_forms.ResetPasswordForm):
    pass


class PasswordResetForm(_InOurWords, allauth_forms.ResetPasswordKeyForm):
    # A button shows what is typed; nobody types it twice.
    password2 = None
    labels: ClassVar = {"password1": _("New password")}
    helps: ClassVar = {"password1": PASSWORD_HELP}


class PasswordChangeForm(_InOurWords, allauth_forms.ChangePasswordForm):
    password2 = None
    labels: ClassVar = {"oldpassword": _("Present password"), "password1": _("New password")}
    helps: ClassVar = {"password1": PASSWORD_HELP}

    def clean_oldpassword(self) -> str:
        return _own_password(self.user, self.cleaned_data["oldpassword"])


class ReauthenticateForm(_InOurWords, allauth_forms.ReauthenticateForm):
    """allauth counts wrong passwords with those at the sign-in, where a stranger could use them up."""

    labels: ClassVar = {"password": _("Your password")}

    def clean_password(self) -> str:
        return _own_password(self.user, self.cleaned_data["password"])


class EmailChangeForm(_InOurWords, allauth_forms.AddEmailForm):
    labels: ClassVar = {"email": _("New email address")}


class PasswordForm(forms.Form):
    """The password, before a step that matters."""

    password = forms.CharField(
        label=_("Your password"), strip=False, widget=forms.PasswordInput(attrs={"autocomplete": "current-password"})
    )


class ProfileForm(forms.ModelForm):
    language = forms.ChoiceField(
        label=_("Language"), choices=settings.LANGUAGES, help_text=_("Of the pages and of our mails.")
    )

    class Meta:
        model = User
        fields = ("display_name", "about", "language")
        widgets: ClassVar = {"about": forms.Textarea(attrs={"rows": 4})}
        help_texts: ClassVar = {
            "display_name": _("Shown beside your username."),
            "about": _("What buyers and sellers should know. Leave out phone numbers and links."),
        }


class PictureForm(forms.Form):
    """The profile picture; `uploads:avatar` takes it."""

    picture = forms.FileField(
        label=_("Picture"),
        help_text=_("JPEG, PNG or WebP. It is cut to a square."),
        widget=forms.FileInput(attrs={"accept": "image/jpeg,image/png,image/webp"}),
    )


class SellerApplicationForm(forms.ModelForm):
    class Meta:
        model = SellerApplication
        fields = ("legal_name", "country", "sells")
        widgets: ClassVar = {"sells": forms.Textarea(attrs={"rows": 6})}
        help_texts: ClassVar = {
            "legal_name": _("As on your bank account. Only staff see it."),
            "sells": _("For example: licences bought in bundles and not used, or game accounts you played yourself."),
        }


def _own_password(user: User, password: str) -> str:
    try:
        password_require(user=user, password=password)
    except WrongPassword as error:
        raise forms.ValidationError(error.message) from None
    return password
