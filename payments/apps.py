from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class PaymentsConfig(AppConfig):
    name = "payments"
    verbose_name = _("Money")

    def ready(self) -> None:
        from accountsstore.context import register_counter
        from accountsstore.money import format_minor
        from accountsstore.rows import rows_count
        from payments.models import Order
        from payments.order_lists import todo_count
        from payments.selectors import wallet_available

        register_counter("orders", todo_count)
        register_counter("wallet", lambda user: format_minor(wallet_available(user)))
        register_counter("sells", lambda user: rows_count(Order, 1, seller=user.pk) > 0)
