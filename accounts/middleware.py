"""The door for suspended people, and the rules of the staff desk's pages."""

from collections.abc import Callable

from django.conf import settings
from django.contrib.auth import SESSION_KEY, logout
from django.http import HttpRequest, HttpResponse
from django.urls import reverse

from accounts.adapter import closed_door
from accounts.models import User


class DoorMiddleware:
    """A suspended person's next page ends the session and says why.

    Django already treats the session of somebody inactive as nobody's; here the person learns it. What a script of an
    open page asks for meanwhile is refused, but leaves the session to the page that the person will see.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        user_id = request.session.get(SESSION_KEY)
        # Only a session that names somebody whom authentication does not let in costs a look.
        if user_id is not None and not request.user.is_authenticated:
            user = User.objects.filter(pk=user_id).first()
            # Browsers name what they ask for, programs do not.
            if request.headers.get("Sec-Fetch-Mode", "navigate") == "navigate":
                logout(request)
            if user is not None and not user.is_active:
                return closed_door(request, user)
        return self.get_response(request)


class StaffDeskMiddleware:
    """django-unfold's pages evaluate expressions and carry inline styles: they alone get the wider content policy."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        if request.path.startswith(reverse("admin:index")):
            response._csp_replace = settings.ADMIN_CONTENT_SECURITY_POLICY  # type: ignore[attr-defined]  # django-csp reads it
        return response
