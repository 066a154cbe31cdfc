"""URLs under /webhooks/, called by other systems."""

from django.urls import re_path

from enrollments.webhooks import views

app_name = "webhooks"

urlpatterns = [
    # With and without the slash: a redirect would lose the body of a POST.
    re_path(r"^light/?$", views.receive, name="light"),
    re_path(r"^mail/?$", views.receive_mail_report, name="mail"),
]
