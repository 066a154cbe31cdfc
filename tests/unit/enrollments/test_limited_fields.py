"""One list of limited fields: the fields judged, stored and shown are the same."""

from dataclasses import fields

import pytest

from enrollments.admin.offers import PlanOfferAdmin
from enrollments.api.serializers import OfferSerializer
from enrollments.customer_home import milestone_mails
from enrollments.decision.offers import OfferedPlan, SignedLimits
from enrollments.models import PlanOffer
from installations.models import Language
from poa_documents.admin.plan_promises import PlanPromiseAdmin
from poa_documents.api.serializers import EnvelopeSerializer
from poa_documents.limited_fields import LIMIT_FIELDS, LIMITED_FIELDS, OFFERED_FIELDS, LimitedField
from poa_documents.limits import compared_lines, limit_lines
from poa_documents.models import Envelope, Limits
from poa_documents.phrases import phrases_in
from tests.unit.enrollments.test_progress import ENVELOPE, OFFER

NO_LIMITS = {"light_plan_uuid", "energy_cents_per_kwh", "delivery_cents_per_kwh"}
"""What identifies an offer, and what shows whether its averages are plausible."""
LANGUAGES = [language.value for language in Language]


def names_in(fieldsets: object) -> str:
    return repr(fieldsets)


def test_judged_fields_are_the_listed_ones() -> None:
    assert {field.name for field in fields(SignedLimits)} == {field.limit for field in LIMITED_FIELDS}
    assert {field.name for field in fields(OfferedPlan)} - NO_LIMITS == set(OFFERED_FIELDS)


def test_limits_and_columns_match() -> None:
    envelope = {field.name for field in Envelope._meta.concrete_fields}
    offer = {field.name for field in PlanOffer._meta.concrete_fields}

    assert set(LIMIT_FIELDS) == {field.name for field in Limits._meta.get_fields()}
    assert {field.limit for field in LIMITED_FIELDS} <= envelope
    assert set(OFFERED_FIELDS) <= offer


@pytest.mark.parametrize("field", LIMITED_FIELDS, ids=lambda field: field.limit)
def test_office_and_api_see_the_field(field: LimitedField) -> None:
    assert field.limit in EnvelopeSerializer.Meta.fields
    assert field.offered in OfferSerializer.Meta.fields
    assert field.offered in names_in(PlanOfferAdmin.fieldsets)
    assert not field.is_promised or field.limit in names_in(PlanPromiseAdmin.fieldsets)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("field", [each for each in LIMITED_FIELDS if each.is_shown], ids=lambda field: field.limit)
def test_customers_see_the_field_beside_its_limit(field: LimitedField, language: str) -> None:
    told = dict(
        milestone_mails.plan_rows(OFFER, ENVELOPE, phrases_in(language, milestone_mails.PHRASES_FILE), language)
    )

    assert field.limit_label[language] in dict(limit_lines(ENVELOPE, language))
    assert field.offered_label[language] in {line.label for line in compared_lines(OFFER, ENVELOPE, language)}
    assert field.offered_label[language] in told


@pytest.mark.parametrize("language", LANGUAGES)
def test_omitted_limit_is_reported_as_missing(language: str) -> None:
    shown = {line.label: line for line in compared_lines(OFFER, ENVELOPE, language)}
    base_fee, buyback = shown[_label("base_fee_dollars", language)], shown[_label("buyback_cents_per_kwh", language)]

    assert base_fee.offered == {"en": "not stated", "es": "no se indica"}[language]
    assert buyback.offered == {"en": "none", "es": "ninguno"}[language]
    assert buyback.limit == {"en": "at least 3.0¢ per kWh", "es": "3.0¢ por kWh como mínimo"}[language]


def _label(offered: str, language: str) -> str:
    return next(field.offered_label[language] for field in LIMITED_FIELDS if field.offered == offered)
