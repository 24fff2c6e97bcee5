from django.apps import AppConfig
from django.contrib.auth.signals import user_logged_out
from django.utils.translation import gettext_lazy as _


class ChatConfig(AppConfig):
    name = "chat"
    verbose_name = _("Messages")

    def ready(self) -> None:
        from accountsstore.context import register_figure
        from chat.selectors import unread_messages_figure, unread_messages_shown, unread_notifications_figure
        from chat.services.attachments import may_open
        from chat.sign_out import sockets_close
        from uploads.models import StoredFile
        from uploads.policies import register_policy

        register_figure("messages", unread_messages_figure, unread_messages_shown)
        register_figure("notifications", unread_notifications_figure)
        register_policy(StoredFile.Purpose.CHAT, may_open)
        user_logged_out.connect(sockets_close, dispatch_uid="chat.sockets_close")
