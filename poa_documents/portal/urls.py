"""URLs of the customer's pages under /portal/. Each starts with the link's token."""

from django.urls import path

from poa_documents.portal import code_views, views
from poa_documents.portal.earlier_address_code import earlier_address
from poa_documents.portal.link_access import send_new_link

app_name = "portal"

urlpatterns = [
    path("<str:token>/", views.home, name="home"),
    path("<str:token>/code/", code_views.ask, name="code"),
    path("<str:token>/enter/", code_views.enter, name="enter"),
    path("<str:token>/kept/", code_views.kept, name="kept"),
    path("<str:token>/leave/", code_views.leave, name="leave"),
    path("<str:token>/new-link/", send_new_link, name="new_link"),
    path("<str:token>/earlier/", earlier_address, name="earlier"),
    path("<str:token>/step/<slug:name>/", views.step, name="step"),
    path("<str:token>/language/", views.choose_language, name="language"),
    path("<str:token>/decline/", views.decline, name="decline"),
    path("<str:token>/revoke/", views.revoke, name="revoke"),
    path("<str:token>/paper/", views.want_paper, name="paper"),
    path("<str:token>/sample.pdf", views.sample, name="sample"),
    path("<str:token>/copy.pdf", views.copy, name="copy"),
]
