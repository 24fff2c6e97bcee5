"""Pages, admin and API in production (gunicorn): 0.9 ms CPU for a small page against 7.8 under ASGI."""

import os

from django.core.wsgi import get_wsgi_application

from accountsstore.metrics import share

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "accountsstore.settings")

application = get_wsgi_application()
share("pages")
