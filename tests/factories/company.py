"""Company rules that a test needs, decided before the test starts."""

from datetime import timedelta
from typing import Any

from core import company_rules
from core.actors import SYSTEM
from core.models import CompanyRules


def set_company_rules(**values: Any) -> CompanyRules:
    """Apply other rules from before any moment of the test; values not named stay unchanged."""
    at = company_rules.SAMPLE_SINCE + timedelta(days=CompanyRules.objects.count() + 1)
    rules = company_rules.decide_company_rules(
        values=values, effective_from_date=at.date(), reason="For this test.", by=SYSTEM, at=at
    )
    company_rules.forget()
    return rules
