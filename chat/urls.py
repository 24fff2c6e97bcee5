from django.urls import path, re_path

from chat import safety_views, ticket_views, views

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
    re_path(rf"^messages/{KEY}/mute/$", safety_views.mute, name="mute"),
    re_path(rf"^messages/{KEY}/report/$", safety_views.report, name="report"),
    path("me/blocks/", safety_views.blocks, name="blocks"),
    path("me/blocks/<username>/add/", safety_views.block, name="block"),
    path("me/blocks/<username>/lift/", safety_views.unblock, name="unblock"),
    path("support/", ticket_views.tickets, name="tickets"),
    path("support/new/", ticket_views.ticket_new, name="ticket_new"),
    path("support/<number>/solved/", ticket_views.ticket_solved, name="ticket_solved"),
    path("support/<number>/strip/", ticket_views.ticket_strip, name="ticket_strip"),
    path("live/", views.live, name="live"),
    path("notifications/", views.notifications, name="notifications"),
    path("notifications/read/", views.notifications_all_read, name="notifications_read"),
    re_path(rf"^notifications/{KEY}/$", views.notification_open, name="notification_open"),
    path("me/notifications/", views.preferences, name="preferences"),
]
