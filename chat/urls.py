from django.urls import path, re_path

from chat import views

# Ids in addresses are 32 hex digits, as in the socket's frames.
KEY = r"(?P<key>[0-9a-f]{32})"

app_name = "chat"
urlpatterns = [
    path("messages/", views.conversations, name="conversations"),
    path("messages/to/<username>/", views.conversation_start, name="start"),
    path("messages/order/<number>/", views.order_panel, name="order_panel"),
    re_path(rf"^messages/{KEY}/$", views.conversation, name="conversation"),
    re_path(rf"^messages/{KEY}/send/$", views.conversation_send, name="conversation_send"),
    re_path(rf"^messages/{KEY}/earlier/$", views.earlier, name="earlier"),
    path("live/", views.live, name="live"),
    path("notifications/", views.notifications, name="notifications"),
    path("notifications/read/", views.notifications_all_read, name="notifications_read"),
    re_path(rf"^notifications/{KEY}/$", views.notification_open, name="notification_open"),
    path("me/notifications/", views.preferences, name="preferences"),
]
