"""The technicians' pages: sign in, my jobs, report PTO or commissioning."""

from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any, cast
from uuid import UUID, uuid4

from django.conf import settings
from django.contrib.auth.forms import AuthenticationForm
from django.contrib.auth.views import LoginView, LogoutView, redirect_to_login
from django.contrib.staticfiles import finders
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.middleware.csrf import get_token
from django.shortcuts import get_object_or_404, render
from django.templatetags.static import static
from django.urls import reverse
from django.views.decorators.http import require_GET, require_http_methods

from accounts import known_browsers, second_factor, sessions, sign_in_limits
from accounts.models import User
from accounts.second_factor import Surface
from accounts.wait_page import wait_response
from core import clock, kept_forms, rate_limits
from core.actors import Actor
from core.dates import chicago_day
from core.errors import InvalidInput
from core.moves import MoveNotAllowed
from core.rate_limits import RateLimitReached, RateLimitStoreDown
from installations import actions, queries
from installations.field.forms import GoLiveForm, SignInForm
from installations.field.presenters import JobPage, ReportPage
from installations.file_check_queue import FileChecksBusy
from installations.guards import SubmissionIdReused, can_report_from_field
from installations.models import GoLiveReport, Installation, KeptProof
from installations.uploads import too_large_files

View = Callable[..., HttpResponse]
SURFACE_NAME = "the technicians' pages"


class SignIn(LoginView):
    template_name = "field/sign_in.html"
    authentication_form = SignInForm
    next_page = "field:jobs"

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """Ask the technician to wait after too many failed attempts, or while attempts cannot be counted."""
        try:
            sign_in_limits.check_attempt_allowed(**_credentials(request), is_known=self._is_known)
            return super().post(request, *args, **kwargs)
        except (RateLimitReached, RateLimitStoreDown) as refused:
            return wait_response(request, refused, back=request.get_full_path())

    def form_valid(self, form: AuthenticationForm) -> HttpResponse:
        response = super().form_valid(form)
        sessions.start(self.request.session)
        sign_in_limits.record_success(surface=SURFACE_NAME, user_id=form.get_user().pk, **_credentials(self.request))
        known_browsers.remember(self.request, response, _credentials(self.request)["username"])
        return response

    def form_invalid(self, form: AuthenticationForm) -> HttpResponse:
        sign_in_limits.record_failure(surface=SURFACE_NAME, **_credentials(self.request), is_known=self._is_known)
        return super().form_invalid(form)

    @property
    def _is_known(self) -> bool:
        return known_browsers.is_known(self.request, _credentials(self.request)["username"])

    def get_redirect_url(self, _request: HttpRequest | None = None) -> str:
        """Redirect only to the technicians' pages, whatever `next` says."""
        url = super().get_redirect_url()
        return url if url.startswith(reverse("field:jobs")) else ""


def _credentials(request: HttpRequest) -> dict[str, str]:
    return {"username": request.POST.get("username", ""), "ip_address": request.META.get("REMOTE_ADDR", "")}


class SignOut(LogoutView):
    next_page = "field:sign_in"


def technicians_only(view: View) -> View:
    """Send anonymous visitors to the sign-in page and refuse other accounts."""

    @wraps(view)
    def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if not request.user.is_authenticated:
            if _wants_json(request):
                return JsonResponse({"message": "You are signed out. Sign in again."}, status=401)
            return redirect_to_login(request.get_full_path(), reverse("field:sign_in"))
        if not can_report_from_field(_technician(request)):
            return render(request, "field/no_technician.html", status=403)
        return view(request, *args, **kwargs)

    return guarded


@require_GET
@technicians_only
def jobs(request: HttpRequest) -> HttpResponse:
    today = chicago_day(clock.now())
    pages = [JobPage(job, today) for job in queries.jobs_for(_technician(request))]
    return render(
        request,
        "field/jobs.html",
        {"due": [page for page in pages if not page.is_done], "done": [page for page in pages if page.is_done]},
    )


@require_http_methods(["GET", "HEAD", "POST"])
@technicians_only
def job(request: HttpRequest, public_id: UUID) -> HttpResponse:
    """Show one of the technician's own jobs and accept its report. Other jobs are not found."""
    at = clock.now()
    installation = get_object_or_404(queries.jobs_for(_technician(request)), public_id=public_id)
    if request.method == "POST":
        try:
            rate_limits.count(rate_limits.UPLOAD, str(_technician(request).pk))
            return _receive_report(request, installation, at=at)
        except (RateLimitReached, FileChecksBusy) as refused:
            return _ask_to_retry(request, refused)
    again, said = kept_forms.AGAIN in request.GET, ""
    kept = kept_forms.find(owner=kept_forms.owner_of(request.user.pk), place=request.path) if again else None
    about: dict[str, Any] = {"installation": installation, "today": chicago_day(at), "files_too_large": {}}
    if kept is not None:
        form = GoLiveForm(kept.fields, **about)
        said = kept_forms.restore_errors(form, kept)
    else:
        form = GoLiveForm(**about, initial={"submission_id": uuid4()})
    return _job_page(request, installation, form, submission_id=form.submission_id_to_use, said=said)


@require_GET
@technicians_only
def report(request: HttpRequest, submission_id: UUID) -> HttpResponse:
    """Show the technician's report while they are assigned to the job, because the page names the customer."""
    found = get_object_or_404(
        GoLiveReport.objects.select_related("installation__site", "installation__customer").prefetch_related("proofs"),
        submission_id=submission_id,
        reported_by=str(_actor(request)),
        installation__technician=_technician(request),
    )
    page = ReportPage(found, was_sent_before="again" in request.GET)
    today = chicago_day(clock.now())
    return render(request, "field/report.html", {"page": page, "job": JobPage(found.installation, today)})


@require_GET
def session(request: HttpRequest) -> JsonResponse:
    """Tell the page's script who is signed in, with a new CSRF token for reports that waited for a signal."""
    user = request.user
    is_signed_in = user.is_authenticated and not second_factor.is_pending(user, request.session, Surface.FIELD)
    technician = (
        _technician(request).public_id if is_signed_in and can_report_from_field(_technician(request)) else None
    )
    return JsonResponse({"technician": technician, "csrf_token": get_token(request)})


@require_GET
def service_worker(_request: HttpRequest) -> HttpResponse:
    """Serve the service worker from under /field/, so that its scope is these pages only."""
    found = finders.find("js/field_service_worker.js")
    path = Path(found) if isinstance(found, str) else Path(settings.STATIC_ROOT or "") / "js/field_service_worker.js"
    if not path.is_file():
        raise Http404("The service worker is missing.")
    kept = [static(name) for name in ("css/tokens.css", "css/field.css", "js/vendor/idb.js", "js/go_live_form.js")]
    script = path.read_text(encoding="utf-8").replace('"KEPT_FILES"', ", ".join(f'"{name}"' for name in kept))
    return HttpResponse(script, content_type="text/javascript", headers={"Cache-Control": "no-cache"})


def _receive_report(request: HttpRequest, installation: Installation, *, at: Any) -> HttpResponse:
    form = GoLiveForm(
        request.POST,
        request.FILES,
        installation=installation,
        today=chicago_day(at),
        files_too_large=too_large_files(request),
    )
    is_valid = form.is_valid()
    submission_id = form.submission_id_to_use
    by = _actor(request)
    if form.checked_proof:
        actions.keep_proof(
            installation_id=installation.pk, submission_id=submission_id, proof=form.checked_proof, by=by, at=at
        )
    if is_valid:
        try:
            outcome = actions.report_go_live(
                installation_id=installation.pk,
                submission_id=submission_id,
                granted_date=form.cleaned_data["granted_date"],
                source=form.cleaned_data["source"],
                utility_reference=form.cleaned_data["utility_reference"],
                note=form.cleaned_data["note"],
                device_at=form.cleaned_data["device_at"],
                by=by,
                at=at,
            )
        except InvalidInput as refused:
            for field, texts in refused.problems.items():
                form.add_error(field, list(texts))
        except SubmissionIdReused as refused:
            form.add_error(None, str(refused))
        except MoveNotAllowed:
            form.add_error(None, "This job was canceled and takes no more reports. Call the office if that is wrong.")
        else:
            kept_forms.forget(owner=kept_forms.owner_of(request.user.pk), place=request.path)
            url = reverse("field:report", kwargs={"submission_id": outcome.report.submission_id})
            return _report_accepted(request, f"{url}?again=1" if outcome.is_repeat else url)
    if _wants_json(request):
        return JsonResponse({"errors": form.errors, "submission_id": str(submission_id)}, status=422)
    typed = request.POST.copy()
    typed["submission_id"] = str(submission_id)  # finds the stored proof again
    form.data = typed
    kept_forms.keep_refused(form, owner=kept_forms.owner_of(request.user.pk), place=request.path)
    return HttpResponseRedirect(f"{request.path}?{kept_forms.AGAIN}")


def _ask_to_retry(request: HttpRequest, refused: RateLimitReached | FileChecksBusy) -> HttpResponse:
    """Ask for the report again later. The script retries automatically; without it, the form is one Back away."""
    status = 503 if isinstance(refused, FileChecksBusy) else 429
    if _wants_json(request):
        response: HttpResponse = JsonResponse({"message": "Too many reports. Try again later."}, status=status)
    else:
        response = render(request, "field/too_many.html", {"minutes": refused.minutes}, status=status)
    response.headers["Retry-After"] = str(refused.seconds)
    return response


def _job_page(
    request: HttpRequest, installation: Installation, form: GoLiveForm, *, submission_id: UUID, said: str
) -> HttpResponse:
    kept = KeptProof.objects.filter(
        installation=installation, submission_id=submission_id, kept_by=str(_actor(request))
    )
    current = queries.current_report(installation.pk)
    return render(
        request,
        "field/job.html",
        {
            "job": JobPage(installation, chicago_day(clock.now())),
            "form": form,
            "submission_id": submission_id,
            "kept_names": [proof.original_name for proof in kept],
            "current": ReportPage(current) if current else None,
            "said": said,
        },
    )


def _report_accepted(request: HttpRequest, url: str) -> HttpResponse:
    return JsonResponse({"url": url}) if _wants_json(request) else HttpResponseRedirect(url)


def _wants_json(request: HttpRequest) -> bool:
    return request.headers.get("Accept") == "application/json"


def _technician(request: HttpRequest) -> User:
    return cast(User, request.user)


def _actor(request: HttpRequest) -> Actor:
    return Actor.technician(_technician(request).public_id)
