from django.apps import AppConfig
from django.utils.module_loading import autodiscover_modules


class AccountsStoreConfig(AppConfig):
    name = "accountsstore"
    verbose_name = "Store"

    def ready(self) -> None:
        from accountsstore import checks  # noqa: F401  (registers the system checks)

        autodiscover_modules("subscribers", "clock")
