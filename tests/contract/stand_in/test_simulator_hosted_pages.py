"""The stand-in's hosted pages, used like a browser without script."""

import re
from datetime import timedelta

import pytest
import requests

from simulator.server import RunningSimulator
from tests.contract.stand_in.light_calls import CREATE, ESI_ID, LightCalls


def _link(light: LightCalls, account_uuid: str, scope: str = "enrollment") -> str:
    return str(light.call("POST", f"{CREATE}/{account_uuid}/flow-login", json={"scope": scope}).json()["login_link"])


def _press(link: str, step: str, **form: str) -> requests.Response:
    return requests.post(f"{link}/{step}", data=form, timeout=5)


def test_customer_becomes_ready_on_hosted_pages(light: LightCalls) -> None:
    account_uuid = light.create(first_name="Maria")
    light.record(account_uuid)
    link = _link(light, account_uuid)

    assert "Hello Maria" in requests.get(link, timeout=5).text
    _press(link, "address", esi_id=ESI_ID)
    _press(link, "identity", credit_consent="yes")
    _press(link, "card")
    page = _press(link, "billing")

    assert page.text.count(">Done<") == 4
    assert light.status(account_uuid) == "enrollment_pending_client_agent"
    assert "light-flow-close" in _press(link, "done").text


def test_page_says_it_is_a_simulation(light: LightCalls) -> None:
    page = requests.get(_link(light, light.create()), timeout=5)

    assert "Stand-in for Light" in page.text
    assert 'name="viewport"' in page.text
    assert page.headers["Cache-Control"] == "no-store"


def test_identity_requires_consent_to_the_credit_check(light: LightCalls) -> None:
    account_uuid = light.create()

    page = _press(_link(light, account_uuid), "identity")

    assert page.status_code == 422
    assert "Check the box" in page.text
    assert light.read(account_uuid)["enrollment"]["is_identity_verified"] is False


def test_unlisted_meter_can_be_typed(simulator: RunningSimulator, light: LightCalls) -> None:
    account_uuid = light.create()
    link = _link(light, account_uuid)

    wrong = _press(link, "address", typed_esi_id="123456")
    _press(link, "address", typed_esi_id="10443720009999999")

    assert (wrong.status_code, "could not find that meter" in wrong.text) == (422, True)
    assert 'value="123456"' in wrong.text
    assert simulator.control.account(account_uuid)["esi_id"] == "10443720009999999"


def test_card_of_no_card_customer_is_declined(light: LightCalls) -> None:
    account_uuid = light.create("maria+no-card@example.com")

    assert "declined" in _press(_link(light, account_uuid), "card").text
    assert light.read(account_uuid)["enrollment"]["has_payment_method"] is False


def test_customer_sees_the_credit_freeze(light: LightCalls) -> None:
    page = _press(_link(light, light.create("maria+frozen@example.com")), "identity", credit_consent="yes")

    assert "credit file is frozen" in page.text


def test_opening_the_page_changes_nothing(simulator: RunningSimulator, light: LightCalls) -> None:
    simulator.control.set_dialect(hosted_flow_skips_plan_choice=False)
    account_uuid = light.ready()
    link = _link(light, account_uuid)
    before = simulator.control.account(account_uuid)

    for _ in range(3):
        assert requests.get(link, timeout=5).status_code == 200

    assert simulator.control.account(account_uuid) == before


def test_link_expires_when_the_customer_is_done(light: LightCalls) -> None:
    link = _link(light, light.create())

    _press(link, "done")

    assert requests.get(link, timeout=5).status_code == 410
    assert _press(link, "card").status_code == 410


def test_link_expires_with_time(simulator: RunningSimulator, light: LightCalls) -> None:
    link = _link(light, light.create())

    simulator.control.advance(timedelta(minutes=31))

    assert requests.get(link, timeout=5).status_code == 410


def test_made_up_link_opens_nothing(simulator: RunningSimulator) -> None:
    assert requests.get(f"{simulator.url}/hosted/{'0' * 32}", timeout=5).status_code == 410


def test_card_link_shows_only_the_card(light: LightCalls) -> None:
    page = requests.get(_link(light, light.create(), "update-payment-method"), timeout=5)

    assert "Payment card" in page.text
    assert "Service address" not in page.text


@pytest.mark.parametrize(("skips", "offers"), [(True, False), (False, True)])
def test_plan_choice_with_a_client_agent_follows_the_dialect(
    *, skips: bool, offers: bool, simulator: RunningSimulator, light: LightCalls
) -> None:
    simulator.control.set_dialect(hosted_flow_skips_plan_choice=skips)

    page = requests.get(_link(light, light.ready()), timeout=5)

    assert ("Your plan" in page.text) is offers


def test_customer_can_choose_a_plan(simulator: RunningSimulator, light: LightCalls) -> None:
    simulator.control.set_dialect(hosted_flow_skips_plan_choice=False)
    account_uuid = light.ready()
    link = _link(light, account_uuid)
    offered = re.findall(r'<option value="([0-9a-f]{8}-[^"]+)"', _press(link, "plan").text)

    _press(link, "plan", plan_uuid=offered[0])

    assert light.read(account_uuid)["locations"][0]["plan_uuid"] == offered[0]
    assert simulator.control.acceptances()[0]["by_customer"] is True


def test_html_in_a_name_is_escaped(light: LightCalls) -> None:
    page = requests.get(_link(light, light.create(first_name="<script>x</script>")), timeout=5)

    assert "<script>x" not in page.text
    assert "&lt;script&gt;x" in page.text


def test_request_log_omits_the_link(simulator: RunningSimulator, light: LightCalls) -> None:
    link = _link(light, light.create())
    requests.get(link, timeout=5)

    assert link.rsplit("/", 1)[1] not in str(simulator.control.state())
