"""URLs of the technicians' pages, under /field/."""

from django.urls import path

from installations.field import views

app_name = "field"

urlpatterns = [
    path("", views.jobs, name="jobs"),
    path("sign-in/", views.SignIn.as_view(), name="sign_in"),
    path("sign-out/", views.SignOut.as_view(), name="sign_out"),
    path("session/", views.session, name="session"),
    path("service-worker.js", views.service_worker, name="service_worker"),
    path("jobs/<uuid:public_id>/", views.job, name="job"),
    path("reports/<uuid:submission_id>/", views.report, name="report"),
]
