"""
Every address of ours, and who gets which answer there. `test_access` checks each row.

An answer is a status, or SIGN_IN where a page redirects to a sign-in. Each one is tried with a GET and an empty POST.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from django.contrib import admin
from django.urls import URLPattern, URLResolver, get_resolver

from core.admin.links import id_in_urls
from core.admin.records import RecordAdmin
from core.api.records import ID_PATTERN
from tests.integration.access.company import ROLES, UNKNOWN_UUID, Company, records_in_admin

SIGN_IN = "sign in"
UNKNOWN_LINK = "an-unknown-link-that-has-the-length-of-one"

Answer = int | str
Answers = dict[str, Answer]
Address = Callable[[Company, str], str]


@dataclass(frozen=True)
class Endpoint:
    route: str
    address: Address
    get: Answers
    post: Answers


def everybody(answer: Answer) -> Answers:
    return dict.fromkeys(ROLES, answer)


def staff_only(office: Answer, superuser: Answer | None = None, *, out: Answer = SIGN_IN) -> Answers:
    """In the admin. Technicians, keys and people who left count as signed out."""
    return everybody(out) | {"office": office, "superuser": office if superuser is None else superuser}


def field_page(technician: Answer, other: Answer, *, staff: Answer, out: Answer = SIGN_IN) -> Answers:
    """On the technicians' pages, which staff may open as well."""
    return everybody(out) | {"technician": technician, "other technician": other, "office": staff, "superuser": staff}


def systems_only(answer: Answer, *, superuser: Answer | None = None) -> Answers:
    """In the API: keys of the office, of a superuser and of clients. A session and a technician's key open nothing."""
    return everybody(401) | {
        "token of the office": answer,
        "key of a client": answer,
        "key of a reading client": answer,
        "token of a superuser": answer if superuser is None else superuser,
        "token of a technician": 403,
    }


def writing_systems_only(answer: Answer, *, for_people: bool = False) -> Answers:
    """As above, for a POST: a client whose scope is reading has none, and where two people are needed no client has."""
    clients = {"key of a client": 403} if for_people else {}
    return systems_only(answer) | {"key of a reading client": 403} | clients


def public(answer: Answer) -> Answers:
    return everybody(answer) | {"token of the disabled": 401}


def link_only(own: Answer, foreign: Answer) -> Answers:
    """Behind a customer's link. Visitors without one use an unknown link."""
    return everybody(404) | {"customer with own link": own, "customer with foreign link": foreign}


def at(address: str) -> Address:
    return lambda _house, _role: address


def of(template: str) -> Address:
    """An address of one of Carmen's records."""
    return lambda company, _role: template.format(company=company, unknown=UNKNOWN_UUID, unknown_uuid=UNKNOWN_UUID)


def behind_link(rest: str) -> Address:
    return lambda company, role: f"/portal/{company.links.get(role, UNKNOWN_LINK)}/{rest}"


# Surfaces for everyone, and for programs.

OPEN = (
    Endpoint("", at("/"), get=everybody(302), post=everybody(302)),
    Endpoint("healthz", at("/healthz"), get=everybody(200), post=everybody(405)),
    Endpoint("readyz", at("/readyz"), get=everybody(200), post=everybody(405)),
    # Without a token, only this machine may read; `test_metrics` tries others.
    Endpoint("metrics", at("/metrics"), get=everybody(200), post=everybody(405)),
    Endpoint("webhooks/^light/?$", at("/webhooks/light/"), get=everybody(405), post=everybody(401)),
    Endpoint("webhooks/^mail/?$", at("/webhooks/mail/"), get=everybody(405), post=everybody(401)),
)

# Customers. "Foreign" is a browser in which the code of another customer's link was typed.
# A form that was not made for this link is refused, with the endpoint open or closed.


def _portal(rest: str, pattern: str, own: Answer, foreign: Answer = 200) -> Endpoint:
    """Where the endpoint is closed, each address shows that instead and names nobody."""
    return Endpoint(
        f"portal/<str:token>/{pattern}", behind_link(rest), get=link_only(own, foreign), post=link_only(403, 403)
    )


PORTAL = (
    _portal("", "", 200),
    _portal("code/", "code/", 200),
    _portal("enter/", "enter/", 200),
    _portal("kept/", "kept/", 302),
    _portal("leave/", "leave/", 302, 302),
    _portal("earlier/", "earlier/", 302),
    _portal("continue/", "continue/", 302),
    _portal("check/", "check/", 302),
    _portal("hold/", "hold/", 302),
    _portal("resume/", "resume/", 302),
    _portal("plan/efl/", "plan/<slug:kind>/", 302),
    # Useful only to the owner of an expired link: every other link redirects to its page.
    Endpoint("portal/<str:token>/new-link/", behind_link("new-link/"), get=everybody(302), post=everybody(302)),
    _portal("step/confirm/", "step/<slug:name>/", 302),
    _portal("language/", "language/", 302),
    _portal("decline/", "decline/", 302),
    _portal("revoke/", "revoke/", 302),
    _portal("paper/", "paper/", 302),
    _portal("copy.pdf", "copy.pdf", 200),
    _portal("sample.pdf", "sample.pdf", 200),
)

# Technicians.

FIELD = (
    Endpoint("field/", at("/field/"), get=field_page(200, 200, staff=200), post=everybody(405)),
    Endpoint("field/sign-in/", at("/field/sign-in/"), get=everybody(200), post=everybody(200)),
    Endpoint("field/sign-out/", at("/field/sign-out/"), get=everybody(405), post=everybody(SIGN_IN)),
    Endpoint("field/session/", at("/field/session/"), get=everybody(200), post=everybody(405)),
    Endpoint("field/service-worker.js", at("/field/service-worker.js"), get=everybody(200), post=everybody(405)),
    Endpoint(
        "field/jobs/<uuid:public_id>/",
        of("/field/jobs/{company.job.public_id}/"),
        get=field_page(200, 404, staff=404),
        post=field_page(302, 404, staff=404),
    ),
    Endpoint(
        "field/jobs/<uuid:public_id>/",
        of("/field/jobs/{unknown}/"),
        get=field_page(404, 404, staff=404),
        post=field_page(404, 404, staff=404),
    ),
    Endpoint(
        "field/reports/<uuid:submission_id>/",
        of("/field/reports/{company.report.submission_id}/"),
        get=field_page(200, 404, staff=404),
        post=everybody(405),
    ),
    Endpoint(
        "field/reports/<uuid:submission_id>/",
        of("/field/reports/{unknown_uuid}/"),
        get=field_page(404, 404, staff=404),
        post=everybody(405),
    ),
)

# Other systems. An empty POST lacks its Idempotency-Key, which only callers who may write are told.

ACTS_OF_PEOPLE = {"confirm"}
_ONE = f"(?P<public_id>{ID_PATTERN})"


def _records(name: str, address: str, *, may_add: bool = True, actions: tuple[str, ...] = ()) -> Iterator[Endpoint]:
    adding = writing_systems_only(400 if may_add else 405)
    yield Endpoint(f"api/v1/^{name}/$", at(f"/api/v1/{name}/"), get=systems_only(200), post=adding)
    for record, found in ((address, 200), ("{unknown}", 404)):
        yield Endpoint(
            f"api/v1/^{name}/{_ONE}/$",
            of(f"/api/v1/{name}/{record}/"),
            get=systems_only(found),
            post=writing_systems_only(405),
        )
    for action in actions:
        yield Endpoint(
            f"api/v1/^{name}/{_ONE}/{action}/$",
            of(f"/api/v1/{name}/{address}/{action}/"),
            get=systems_only(405),
            post=writing_systems_only(400, for_people=action in ACTS_OF_PEOPLE),
        )


# The second factor of people without one: there is nothing to ask for, so every page leads to the setup.


def signed_in(answer: Answer) -> Answers:
    people = ("technician", "other technician", "office", "superuser")
    return everybody(SIGN_IN) | dict.fromkeys(people, answer)


def _second_step(surface: str) -> Iterator[Endpoint]:
    for page, shown, posted in (("", 302, 302), ("set-up/", 200, 422), ("codes/", 302, 302), ("change/", 405, 302)):
        route = f"{surface}/second-step/{page}"
        yield Endpoint(route, at(f"/{route}"), get=signed_in(shown), post=signed_in(posted))


API = (
    # The API description holds no records, so only a token that is refused everywhere is refused here.
    Endpoint("api/schema/", at("/api/schema/"), get=public(200), post=public(405)),
    Endpoint("api/docs/", at("/api/docs/"), get=public(200), post=public(405)),
    Endpoint("api/v1/token/", at("/api/v1/token/"), get=everybody(405), post=everybody(415)),
    *_records("customers", "{company.job.customer.public_id}"),
    *_records("sites", "{company.job.site.public_id}"),
    *_records("installations", "{company.job.public_id}", actions=("assign", "cancel", "move")),
    Endpoint(
        f"api/v1/^installations/{_ONE}/events/$",
        of("/api/v1/installations/{company.job.public_id}/events/"),
        get=systems_only(200),
        post=writing_systems_only(405),
    ),
    *_records("pto-reports", "{company.report.public_id}", actions=("confirm", "correct", "withdraw")),
    *_records("plan-promises", "{company.poa.promise.public_id}", may_add=False),
    *_records("poa-requests", "{company.poa.public_id}", actions=("resend", "revoke", "void")),
    *_records("enrollments", "{company.enrollment.public_id}", may_add=False),
    Endpoint(
        f"api/v1/^enrollments/{_ONE}/holds/(?P<hold_id>{ID_PATTERN})/release/$",
        of("/api/v1/enrollments/{company.enrollment.public_id}/holds/{unknown}/release/"),
        get=systems_only(405),
        post=writing_systems_only(400),
    ),
    *_records("pauses", "{company.pause.public_id}", actions=("resume",)),
)

# The office. What it may add is listed; it may view every record of ours, but no people or groups.

ADDED_BY_THE_OFFICE = {"customer", "site", "installation", "poadocument", "planpromise", "pause"}
ADDED_BY_ACTION = {
    "customer",
    "site",
    "installation",
    "poadocument",
    "pause",
    "retentionrule",
    "apiclient",
    "companyrules",
}
"""Their forms lead back to themselves by a redirect; the others are Django's own."""

TYPED_OVER_BY_THE_OFFICE = {"planpromise"}
FOR_SUPERUSERS = {"user", "group", "logentry", "apiclient", "apikey"}
ADDED_BY_SUPERUSERS = ADDED_BY_THE_OFFICE | {"user", "group", "retentionrule", "apiclient", "companyrules"}
TYPED_OVER_BY_SUPERUSERS = {"planpromise", "user", "group"}
DELETED_BY_SUPERUSERS = {"group"}


def _admins_own() -> Iterator[Endpoint]:
    anybody = everybody(200)
    yield Endpoint("admin/login/", at("/admin/login/"), get=anybody | {"office": 302, "superuser": 302}, post=anybody)
    yield Endpoint("admin/logout/", at("/admin/logout/"), get=staff_only(405, out=302), post=staff_only(200, out=302))
    for name, posted in (
        ("", 200),
        ("search/", 405),
        ("password_change/", 200),
        ("password_change/done/", 405),
        ("jsi18n/", 405),
    ):
        yield Endpoint(f"admin/{name}", at(f"/admin/{name}"), get=staff_only(200), post=staff_only(posted))
    yield Endpoint("admin/autocomplete/", at("/admin/autocomplete/"), get=staff_only(403), post=staff_only(405))
    yield Endpoint(
        "admin/r/<path:content_type_id>/<path:object_id>/",
        of("/admin/r/{unknown}/{unknown}/"),
        get=staff_only(404),
        post=staff_only(404),
    )
    yield Endpoint("admin/(?P<url>.*)$", at("/admin/nowhere/"), get=staff_only(404), post=staff_only(404))
    for label, office in (("installations", 200), ("auth", 404)):
        yield Endpoint(
            "admin/^(?P<app_label>core|admin|accounts|auth|installations|poa_documents|enrollments)/$",
            at(f"/admin/{label}/"),
            get=staff_only(office, 200),
            post=staff_only(office, 200),
        )


def _admin_records() -> Iterator[Endpoint]:
    ours = {model._meta.model_name: (model, key) for model, key in records_in_admin()}
    for model, registered in admin.site._registry.items():
        opts = model._meta
        name = str(opts.model_name)
        _, key = ours.get(name, (None, None))
        if name in FOR_SUPERUSERS:
            one = model._default_manager.first()
            key = id_in_urls(one) if one is not None else None
        yield from _endpoints_of(f"{opts.app_label}/{name}", name, key)
        if isinstance(registered, RecordAdmin):
            # Each button's endpoint has its own test: its answer depends on the record's state.
            yield Endpoint(
                f"admin/{opts.app_label}/{name}/<path:object_id>/button/<slug:button_name>/",
                at(f"/admin/{opts.app_label}/{name}/{key}/button/no-such-button/"),
                get=staff_only(404),
                post=staff_only(404),
            )
        if name == "user":
            yield Endpoint(
                "admin/accounts/user/<id>/password/",
                at(f"/admin/accounts/user/{key}/password/"),
                get=staff_only(403, 200),
                post=staff_only(403, 200),
            )


def _endpoints_of(folder: str, name: str, key: object) -> Iterator[Endpoint]:
    ours, root = f"/admin/{folder}/", f"admin/{folder}/"
    one, unknown = f"{root}<path:object_id>/", f"{ours}{UNKNOWN_UUID}/"
    may_office_type, may_root_type = name in TYPED_OVER_BY_THE_OFFICE, name in TYPED_OVER_BY_SUPERUSERS
    looking = staff_only(403 if name in FOR_SUPERUSERS else 200, 200)
    adding = staff_only(200 if name in ADDED_BY_THE_OFFICE else 403, 200 if name in ADDED_BY_SUPERUSERS else 403)
    deleting = staff_only(403, 200 if name in DELETED_BY_SUPERUSERS else 403)
    typing = staff_only(200 if may_office_type else 403, 200 if may_root_type else 403)
    typing_unknown = staff_only(302 if may_office_type else 403, 302 if may_root_type else 403)
    looking_at_unknown = staff_only(403 if name in FOR_SUPERUSERS else 302, 302)
    yield Endpoint(root, at(ours), looking, looking)
    by_action = name in ADDED_BY_ACTION
    posting = staff_only(
        302 if by_action and name in ADDED_BY_THE_OFFICE else adding["office"],
        302 if by_action and name in ADDED_BY_SUPERUSERS else adding["superuser"],
    )
    yield Endpoint(f"{root}add/", at(f"{ours}add/"), adding, posting)
    if key is None:  # the company has no record of this kind
        looking, typing = looking_at_unknown, typing_unknown
    yield Endpoint(f"{one}history/", at(f"{ours}{key}/history/"), looking, looking)
    yield Endpoint(f"{one}delete/", at(f"{ours}{key}/delete/"), deleting, deleting)
    yield Endpoint(f"{one}change/", at(f"{ours}{key}/change/"), looking, typing)
    yield Endpoint(f"{one}change/", at(f"{unknown}change/"), looking_at_unknown, typing_unknown)
    yield Endpoint(one, at(f"{ours}{key}/"), staff_only(302), staff_only(302))


def endpoints() -> list[Endpoint]:
    return [
        *OPEN,
        *PORTAL,
        *FIELD,
        *_second_step("admin"),
        *_second_step("field"),
        *API,
        *_admins_own(),
        *_admin_records(),
    ]


def routes(within: URLResolver | None = None, before: str = "") -> Iterator[str]:
    """Every address the application answers, as its resolver writes it."""
    for entry in (within or get_resolver()).url_patterns:
        if isinstance(entry, URLPattern):
            yield f"{before}{entry.pattern}"
        else:
            yield from routes(entry, f"{before}{entry.pattern}")
