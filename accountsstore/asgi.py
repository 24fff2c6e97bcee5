"""WebSockets in production, pages as well on a laptop (Daphne)."""

import os

from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "accountsstore.settings")

django_application = get_asgi_application()

from channels.auth import AuthMiddlewareStack  # noqa: E402  (the app registry must be ready first)
from channels.routing import ProtocolTypeRouter, URLRouter  # noqa: E402
from channels.security.websocket import AllowedHostsOriginValidator  # noqa: E402
from django.conf import settings  # noqa: E402

from accountsstore.metrics import share  # noqa: E402
from accountsstore.servers import require_servers  # noqa: E402
from chat.consumers import later_when_away  # noqa: E402
from chat.routing import websocket_urlpatterns  # noqa: E402

if not settings.TESTING:
    require_servers()
    share("site")

application = ProtocolTypeRouter(
    {
        "http": django_application,
        "websocket": AllowedHostsOriginValidator(
            later_when_away(AuthMiddlewareStack(URLRouter(websocket_urlpatterns)))
        ),
    }
)
