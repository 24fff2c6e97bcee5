from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class PaymentsConfig(AppConfig):
    name = "payments"
    verbose_name = _("Money")

    def ready(self) -> None:
        from accountsstore.context import register_counter, register_figure
        from accountsstore.money import format_minor
        from payments.order_lists import has_sold, todo_figure
        from payments.selectors import available_figure

        register_figure("orders", todo_figure)
        register_figure("wallet", available_figure, format_minor)
        register_counter("sells", has_sold)
