from django.apps import AppConfig
from django.contrib.auth.signals import user_logged_out
from django.utils.translation import gettext_lazy as _


class ChatConfig(AppConfig):
    name = "chat"
    verbose_name = _("Messages")

    def ready(self) -> None:
        from accountsstore.context import register_counter
        from chat.selectors import unread_messages, unread_notifications
        from chat.sign_out import sockets_close

        register_counter("messages", unread_messages)
        register_counter("notifications", unread_notifications)
        user_logged_out.connect(sockets_close, dispatch_uid="chat.sockets_close")
