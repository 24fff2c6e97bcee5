from django.urls import path, re_path

from uploads import views

app_name = "uploads"
urlpatterns = [
    path("avatar/", views.avatar, name="avatar"),
    path("incoming/", views.incoming, name="incoming"),
    re_path(r"^(?P<file_id>[0-9a-f]{32})/(?P<variant>thumb|card|large|original)$", views.file, name="file"),
]
