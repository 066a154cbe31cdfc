"""The office's sign-in, slowed down for whoever guesses passwords."""

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.views.decorators.cache import never_cache

from installations import sign_ins


@never_cache
def sign_in(request: HttpRequest) -> HttpResponse:
    """Take name and password as the admin does; after too many wrong ones, ask to wait."""
    if request.method != "POST":
        return admin.site.login(request)
    who = {"username": request.POST.get("username", ""), "ip_address": request.META.get("REMOTE_ADDR", "")}
    if sign_ins.must_wait(**who):
        text = f"Too many wrong passwords. Wait {sign_ins.WAIT_SECONDS // 60} minutes and try again.\n"
        return HttpResponse(text, content_type="text/plain", status=429)
    response = admin.site.login(request)
    if not request.user.is_authenticated:
        sign_ins.count_failure(**who)
    return response
