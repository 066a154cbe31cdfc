"""User groups: the office, those who may add company rules, and technicians, who use only the phone pages."""

from collections.abc import Iterator
from typing import Any

from django.apps import apps as installed_apps

OFFICE_GROUP = "office"
TECHNICIANS_GROUP = "technicians"
COMPANY_RULES_GROUP = "company rules"
"""May decide company rules. Give it to few people, besides the group of the office."""
OUR_APPS = ("installations", "poa_documents", "enrollments")
ADDED_BY_THE_OFFICE = frozenset(
    {"customer", "site", "installation", "golivereport", "poadocument", "planpromise", "pause"}
)
ACTED_ON_BY_THE_OFFICE = frozenset(
    {
        "customer",
        "site",
        "installation",
        "golivereport",
        "poadocument",
        "planpromise",
        "customermail",
        "enrollment",
        "hold",
        "pause",
        "stopsignal",
        "webhookdelivery",
    }
)


def office_codenames(model_name: str) -> Iterator[str]:
    yield f"view_{model_name}"
    if model_name in ADDED_BY_THE_OFFICE:
        yield f"add_{model_name}"
    if model_name in ACTED_ON_BY_THE_OFFICE:
        yield f"change_{model_name}"


def create_groups(*, using: str, apps: Any = installed_apps, **_rest: object) -> None:
    """
    Create the groups and add their permissions. Runs after each migration: it restores permissions that were
    removed and keeps those that were added. `flush` calls it without `apps`.
    """
    group_model = apps.get_model("auth", "Group")
    permission_model = apps.get_model("auth", "Permission")
    group_model.objects.using(using).get_or_create(name=TECHNICIANS_GROUP)
    office, _ = group_model.objects.using(using).get_or_create(name=OFFICE_GROUP)
    wanted = {
        (app_label, codename)
        for app_label in OUR_APPS
        for model in apps.get_app_config(app_label).get_models()
        for codename in office_codenames(model.__name__.lower())
    }
    found = (
        permission_model.objects.using(using)
        .filter(content_type__app_label__in=OUR_APPS)
        .select_related("content_type")
    )
    office.permissions.add(*(each for each in found if (each.content_type.app_label, each.codename) in wanted))
    rules = {
        each.codename: each
        for each in permission_model.objects.using(using).filter(
            content_type__app_label="core", codename__in=["view_companyrules", "add_companyrules"]
        )
    }
    deciders, _ = group_model.objects.using(using).get_or_create(name=COMPANY_RULES_GROUP)
    deciders.permissions.add(*rules.values())
    office.permissions.add(*(each for name, each in rules.items() if name.startswith("view_")))
