from django.urls import path, re_path

from chat.views import conversations, messages, safety, tickets

# Ids in addresses are 32 hex digits, as in the socket's frames.
KEY = r"(?P<key>[0-9a-f]{32})"

app_name = "chat"
urlpatterns = [
    path("messages/", conversations.conversations, name="conversations"),
    path("messages/to/<username>/", conversations.conversation_start, name="start"),
    path("messages/order/<number>/", conversations.order_panel, name="order_panel"),
    re_path(rf"^messages/{KEY}/$", conversations.conversation, name="conversation"),
    path("messages/rows/", conversations.conversation_rows, name="conversation_rows"),
    re_path(rf"^messages/{KEY}/row/$", conversations.conversation_row, name="conversation_row"),
    re_path(rf"^messages/{KEY}/send/$", conversations.conversation_send, name="conversation_send"),
    re_path(rf"^messages/{KEY}/earlier/$", conversations.earlier, name="earlier"),
    re_path(rf"^messages/{KEY}/mute/$", safety.mute, name="mute"),
    re_path(rf"^messages/{KEY}/report/$", safety.report, name="report"),
    path("me/blocks/", safety.blocks, name="blocks"),
    path("me/blocks/<username>/add/", safety.block, name="block"),
    path("me/blocks/<username>/lift/", safety.unblock, name="unblock"),
    path("support/", tickets.tickets, name="tickets"),
    path("support/new/", tickets.ticket_new, name="ticket_new"),
    path("support/<number>/solved/", tickets.ticket_solved, name="ticket_solved"),
    path("support/<number>/strip/", tickets.ticket_strip, name="ticket_strip"),
    re_path(rf"^messages/{KEY}/files/$", messages.attachment_upload, name="attachment_upload"),
    re_path(rf"^messages/{KEY}/search/$", messages.conversation_search, name="conversation_search"),
    re_path(
        rf"^messages/{KEY}/mine/(?P<client_id>[A-Za-z0-9_-]{{8,40}})/$",
        messages.message_change,
        name="message_change",
    ),
    path("live/", conversations.live, name="live"),
    path("notifications/", conversations.notifications, name="notifications"),
    path("notifications/read/", conversations.notifications_all_read, name="notifications_read"),
    re_path(rf"^notifications/{KEY}/$", conversations.notification_open, name="notification_open"),
    path("me/notifications/", conversations.preferences, name="preferences"),
]
