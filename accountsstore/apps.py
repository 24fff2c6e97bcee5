from django.apps import AppConfig
from django.utils.module_loading import autodiscover_modules
from django.utils.translation import gettext_lazy as _


class AccountsStoreConfig(AppConfig):
    name = "accountsstore"
    verbose_name = _("Store")

    def ready(self) -> None:
        from accountsstore import checks, tracing  # noqa: F401  (registers the system checks)

        tracing.start()
        autodiscover_modules("subscribers", "clock", "gauges")
