from django.urls import path

from accounts import views

app_name = "accounts"
urlpatterns = [
    path("me/", views.profile, name="profile"),
    path("me/security/", views.security, name="security"),
    path("me/security/sign-out/", views.sign_out_others, name="sign_out_others"),
    path("sell/apply/", views.apply, name="apply"),
]
