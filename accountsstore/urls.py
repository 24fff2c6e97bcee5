"""Every address of the store."""

from django.conf import settings
from django.contrib import admin
from django.urls import include, path

from accounts import views as account_views
from accountsstore import views

urlpatterns = [
    path("", include("listings.urls")),
    path("", include("payments.urls")),
    path("", include("chat.urls")),
    path("", include("accounts.urls")),
    path("account/", include("allauth.account.urls")),
    path("files/", include("uploads.urls")),
    path("language/", account_views.language_set, name="set_language"),
    path("help/", views.help_page, name="help"),
    path("terms/", views.terms, name="terms"),
    path("admin/", admin.site.urls),
]

if settings.DEBUG or settings.TESTING:
    from accountsstore import dev_views

    urlpatterns += [
        path("dev/mail/", dev_views.mailbox, name="dev_mailbox"),
        path("dev/mail/<str:key>/", dev_views.mail, name="dev_mail"),
        path("dev/components/", dev_views.components, name="dev_components"),
    ]

handler400 = "accountsstore.views.bad_request"
handler403 = "accountsstore.views.forbidden"
handler404 = "accountsstore.views.not_found"
handler500 = "accountsstore.views.server_error"
