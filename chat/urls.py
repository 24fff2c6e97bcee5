from django.urls import path, re_path

from chat import message_views, views

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
    re_path(rf"^messages/{KEY}/files/$", message_views.attachment_upload, name="attachment_upload"),
    re_path(rf"^messages/{KEY}/search/$", message_views.conversation_search, name="conversation_search"),
    re_path(
        rf"^messages/{KEY}/mine/(?P<client_id>[A-Za-z0-9_-]{{8,40}})/$",
        message_views.message_change,
        name="message_change",
    ),
    path("live/", views.live, name="live"),
    path("notifications/", views.notifications, name="notifications"),
    path("notifications/read/", views.notifications_all_read, name="notifications_read"),
    re_path(rf"^notifications/{KEY}/$", views.notification_open, name="notification_open"),
    path("me/notifications/", views.preferences, name="preferences"),
]
