"""URLs that enrollments add under /portal/: the customer's home page with its progress and buttons."""

from django.urls import path

from enrollments.customer_home import views

app_name = "progress"

urlpatterns = [
    # Comes before `portal:home`, which is the same URL without the progress.
    path("<str:token>/", views.home, name="home"),
    path("<str:token>/continue/", views.continue_at_light, name="continue"),
    path("<str:token>/check/", views.check_again, name="check"),
    path("<str:token>/hold/", views.hold, name="hold"),
    path("<str:token>/resume/", views.resume, name="resume"),
    path("<str:token>/plan/<slug:kind>/", views.plan_document, name="document"),
]
