"""The customer's pages, below /portal/. The link's secret part is the first part of every address."""

from django.urls import path

from poa_documents import views

app_name = "portal"

urlpatterns = [
    path("<str:token>/", views.home, name="home"),
]
