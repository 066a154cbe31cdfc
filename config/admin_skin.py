"""Configuration of django-unfold, the admin's skin: names, stylesheet, first page and navigation."""

from dataclasses import dataclass, replace
from typing import Any

from django.http import HttpRequest
from django.templatetags.static import static
from django.urls import reverse


def _choices_script(_request: HttpRequest) -> str:
    return static("js/admin_choices.js")


def _stylesheet(_request: HttpRequest) -> str:
    return static("css/admin.css")


def _icon(_request: HttpRequest) -> str:
    return static("img/icon.svg")


@dataclass(frozen=True)
class _Page:
    """A link of the sidebar, shown to those who may view the records of `model` (as `app_label.model_name`)."""

    title: str
    icon: str
    url_name: str
    model: str = ""

    def is_for(self, user: Any) -> bool:
        app_label, _, name = self.model.partition(".")
        return not name or any(user.has_perm(f"{app_label}.{verb}_{name}") for verb in ("view", "change"))


def _records(title: str, app_label: str, model_name: str, icon: str) -> _Page:
    return _Page(title, icon, f"admin:{app_label}_{model_name}_changelist", f"{app_label}.{model_name}")


def _accounts(title: str, model_name: str, icon: str) -> _Page:
    """API clients and keys are opened by everyone who manages people."""
    return replace(_records(title, "accounts", model_name, icon), model="accounts.user")


SIDEBAR: tuple[dict[str, Any], ...] = (
    {
        "items": [
            _Page("Work queue", "inbox", "admin:index"),
            _records("Enrollments", "enrollments", "enrollment", "route"),
            _records("Holds", "enrollments", "hold", "front_hand"),
            _records("Pauses", "enrollments", "pause", "pause_circle"),
            _records("System holds", "enrollments", "systemhold", "block"),
            _records("Reconciliations", "enrollments", "reconciliationrun", "rule"),
        ],
    },
    {
        "title": "Customers and jobs",
        "separator": True,
        "items": [
            _records("Customers", "installations", "customer", "person"),
            _records("Sites", "installations", "site", "home"),
            _records("Installations", "installations", "installation", "solar_power"),
            _records("Go-live reports", "installations", "golivereport", "task_alt"),
        ],
    },
    {
        "title": "Authority",
        "separator": True,
        "items": [
            _records("Powers of attorney", "poa_documents", "poadocument", "contract"),
            _records("Signers in question", "poa_documents", "signerdoubt", "person_search"),
            _records("Stop signals", "poa_documents", "stopsignal", "dangerous"),
            _records("Plan promises", "poa_documents", "planpromise", "handshake"),
            _records("POA templates", "poa_documents", "poatemplate", "article"),
            _records("Mails", "poa_documents", "customermail", "mail"),
            _records("Addresses that fail", "poa_documents", "addressfailure", "unsubscribe"),
        ],
    },
    {
        "title": "Light",
        "separator": True,
        "items": [
            _records("Offers", "enrollments", "planoffer", "sell"),
            _records("Writes", "enrollments", "lightwrite", "edit_note"),
            _records("Notices", "enrollments", "advancenotice", "campaign"),
            _records("Acceptances", "enrollments", "acceptattempt", "how_to_reg"),
            _records("Remote calls", "enrollments", "remotecall", "swap_horiz"),
            _records("Webhook deliveries", "enrollments", "webhookdelivery", "webhook"),
            _records("Webhooks refused", "enrollments", "webhookrefusal", "block"),
        ],
    },
    {
        "title": "History",
        "separator": True,
        "collapsible": True,
        "items": [
            _records("Installation events", "installations", "installationevent", "history"),
            _records("Enrollment events", "enrollments", "enrollmentevent", "history"),
            _records("Evidence", "poa_documents", "evidenceentry", "history_edu"),
            _records("Time stamps of seals", "poa_documents", "sealtimestamp", "approval"),
            _records("Answers of issuers", "poa_documents", "issuersanswer", "verified_user"),
            _records("Journal anchors", "poa_documents", "journalanchor", "anchor"),
            _records("Proofs of destruction", "poa_documents", "destructionproof", "delete_forever"),
            _records("Consents", "poa_documents", "consentrecord", "fact_check"),
            _records("Envelopes", "poa_documents", "envelope", "tune"),
            _records("Proof files", "installations", "prooffile", "attach_file"),
            _records("What staff did", "admin", "logentry", "manage_history"),
        ],
    },
    {
        "title": "People",
        "separator": True,
        "items": [
            _records("Staff and technicians", "accounts", "user", "badge"),
            _records("Groups", "auth", "group", "groups"),
            _records("Company rules", "core", "companyrules", "gavel"),
            _accounts("API clients", "apiclient", "hub"),
            _accounts("API keys", "apikey", "key"),
            _Page("My second step", "password", "office_second_step:ask"),
        ],
    },
)


def _sidebar_of(request: HttpRequest) -> list[dict[str, Any]]:
    """Return what this person may open. Unfold's own check of permissions makes a class for each link and page."""
    return [
        {
            **group,
            "items": [
                {"title": page.title, "icon": page.icon, "link": reverse(page.url_name)}
                for page in group["items"]
                if page.is_for(request.user)
            ],
        }
        for group in SIDEBAR
    ]


UNFOLD: dict[str, Any] = {
    "SITE_TITLE": "Switchyard",
    "SITE_HEADER": "Switchyard",
    "SITE_SUBHEADER": "Enrollment back office",
    "SITE_SYMBOL": "electric_bolt",
    "SITE_URL": None,
    "SHOW_VIEW_ON_SITE": False,
    "THEME": "light",
    "STYLES": [_stylesheet],
    "SCRIPTS": [_choices_script],
    "SITE_FAVICONS": [{"rel": "icon", "type": "image/svg+xml", "href": _icon}],
    "DASHBOARD_CALLBACK": "enrollments.admin.work_queue.add_work_queue",
    "COLORS": {
        "primary": {
            "50": "#eff6ff",
            "100": "#dbeafe",
            "200": "#bfdbfe",
            "300": "#93c5fd",
            "400": "#60a5fa",
            "500": "#2563eb",
            "600": "#1d4ed8",
            "700": "#1e40af",
            "800": "#1e3a8a",
            "900": "#172554",
            "950": "#0f172a",
        },
    },
    "SIDEBAR": {
        "show_search": True,
        "show_all_applications": False,
        "navigation": _sidebar_of,
    },
}
