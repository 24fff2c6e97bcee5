"""The door: a suspended person's next request ends the session and says why."""

from collections.abc import Callable

from django.contrib.auth import SESSION_KEY, logout
from django.http import HttpRequest, HttpResponse

from accounts.adapter import closed_door
from accounts.models import User


class DoorMiddleware:
    """Django already treats a session of somebody inactive as nobody's; here the person learns it."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        user_id = request.session.get(SESSION_KEY)
        # Only a session that names somebody whom authentication does not let in costs a look.
        if user_id is not None and not request.user.is_authenticated:
            user = User.objects.filter(pk=user_id).first()
            logout(request)
            if user is not None and not user.is_active:
                return closed_door(request, user)
        return self.get_response(request)
