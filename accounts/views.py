"""Pages about oneself: profile, security, becoming a seller."""

from django.conf import settings
from django.contrib import messages
from django.contrib.auth import update_session_auth_hash
from django.contrib.auth.decorators import login_required
from django.forms import ModelForm
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import override
from django.views.decorators.http import require_POST
from django.views.i18n import set_language

from accounts import services
from accounts.forms import PasswordForm, PictureForm, ProfileForm, SellerApplicationForm
from accounts.models import SellerApplication, SellerProfile, User
from accounts.selectors import seller_applications
from accountsstore.errors import StoreError


def language_set(request: HttpRequest) -> HttpResponse:
    """Django's language switch, remembered for the person as well."""
    if request.method == "POST" and request.user.is_authenticated:
        services.language_set(user=request.user, language=request.POST.get("language", ""))
    return set_language(request)


@login_required
def profile(request: HttpRequest) -> HttpResponse:
    # A copy: a form with errors has written them onto its object, and the page's header shows the saved name.
    form = ProfileForm(request.POST or None, instance=User.objects.get(pk=request.user.pk))
    if request.method == "POST" and form.is_valid():
        services.profile_update(user=request.user, **form.cleaned_data)
        language = form.cleaned_data["language"]
        with override(language):
            messages.success(request, _("Your profile is saved."))
        response = redirect("accounts:profile")
        response.set_cookie(
            settings.LANGUAGE_COOKIE_NAME,
            language,
            max_age=settings.LANGUAGE_COOKIE_AGE,
            secure=settings.SESSION_COOKIE_SECURE,
            samesite="Lax",
        )
        return response
    context = {"tab": "profile", "form": form, "picture_form": PictureForm()}
    return render(request, "accounts/profile.html", context, status=_status(form))


@login_required
def security(request: HttpRequest) -> HttpResponse:
    return render(request, "accounts/security.html", {"tab": "security", "form": PasswordForm()})


@login_required
@require_POST
def sign_out_others(request: HttpRequest) -> HttpResponse:
    form = PasswordForm(request.POST)
    if form.is_valid():
        try:
            services.sessions_end(user=request.user, password=form.cleaned_data["password"])
        except StoreError as error:
            form.add_error(error.field, str(error))
        else:
            update_session_auth_hash(request, request.user)
            messages.success(request, _("You are signed out everywhere else."))
            return redirect("accounts:security")
    return render(request, "accounts/security.html", {"tab": "security", "form": form}, status=422)


@login_required
def apply(request: HttpRequest) -> HttpResponse:
    """Become a seller: the form while there is something to fill in, else where the application stands."""
    applications = seller_applications(request.user)
    last = applications[0] if applications else None
    standing = SellerProfile.objects.filter(user=request.user).values_list("state", flat=True).first() or ""
    # Everything but the sentences of a try before helps the next one.
    form = SellerApplicationForm(request.POST or None, instance=SellerApplication(), initial=_answers(last))
    if request.method == "POST" and form.is_valid():
        try:
            services.seller_apply(user=request.user, **form.cleaned_data)
        except StoreError as error:
            form.add_error(None, str(error))
        else:
            messages.success(request, _("Your application is with us. Staff answer within a day."))
            return redirect("accounts:apply")
    context = {
        "form": form,
        "applications": applications,
        "last": last,
        "standing": standing,
        "may_apply": standing in ("", SellerProfile.State.APPLIED)
        and (last is None or last.state != SellerApplication.State.SUBMITTED),
    }
    return render(request, "accounts/apply.html", context, status=_status(form))


def _answers(application: SellerApplication | None) -> dict[str, str]:
    if application is None:
        return {}
    return {"legal_name": application.legal_name, "country": application.country, "sells": application.sells}


def _status(form: ModelForm) -> int:
    return 422 if form.is_bound and form.errors else 200
