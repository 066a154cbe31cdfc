"""Enrollments over the API: gates, next step and reason; holds are released, consent is never overridden."""

from typing import Any

from enrollments.models import Hold
from enrollments.states import HoldCode
from tests.factories.cases import case_waiting_for_signature, held_case, hold, judged_offer
from tests.factories.installations import AT
from tests.factories.poa_documents import sent_poa
from tests.integration.api.conftest import Api


def test_enrollment_shows_gates_next_step_and_reason(api: Api) -> None:
    enrollment = case_waiting_for_signature()

    shown = api.get(f"enrollments/{enrollment.public_id}/").json()

    assert len(shown["gates"]) == 3
    assert all(set(gate) == {"name", "is_open", "because"} for gate in shown["gates"])
    assert shown["next_step"] == enrollment.next_step
    assert shown["because"]
    assert shown["whose_turn"] == "CUSTOMER"
    assert (shown["open_hold"], shown["holds"], shown["offers"]) == (None, [], [])


def test_offers_are_shown_with_their_verdicts(api: Api) -> None:
    enrollment = case_waiting_for_signature()
    offer = judged_offer(enrollment, sent_poa())

    shown = api.get(f"enrollments/{enrollment.public_id}/").json()["offers"]

    assert [(each["id"], each["fits"]) for each in shown] == [(str(offer.public_id), offer.fits)]
    assert shown[0]["verdict"] == offer.verdict
    assert isinstance(shown[0]["average_cents_per_kwh_1000"], str)


def test_hold_is_released_with_a_reason(api: Api) -> None:
    enrollment = held_case()
    path = f"enrollments/{enrollment.public_id}/holds/{enrollment.holds.get().public_id}/release/"

    silent = api.post(path, {"reason": ""})
    released = api.post(path, {"reason": "Light has fixed the address."})
    twice = api.post(path, {"reason": "Again."})

    assert (silent.status_code, "reason" in silent.json()) == (400, True)
    assert released.status_code == 200
    assert released.json()["open_hold"] is None
    assert released.json()["holds"][0]["release_reason"] == "Light has fixed the address."
    assert twice.status_code == 409


def test_missing_authority_hold_cannot_be_overridden(api: Api) -> None:
    enrollment = case_waiting_for_signature()
    held = hold(enrollment, at=AT, code=HoldCode.AUTHORITY_ENDED)

    response = api.post(
        f"enrollments/{enrollment.public_id}/holds/{held.public_id}/release/", {"reason": "We are sure."}
    )

    assert response.status_code == 409
    assert "cannot be overridden" in response.json()["detail"]
    assert Hold.objects.get(pk=held.pk).released_at is None


def test_hold_of_another_enrollment_is_not_found(api: Api) -> None:
    ours, other = held_case(), held_case()

    response = api.post(
        f"enrollments/{ours.public_id}/holds/{other.holds.get().public_id}/release/", {"reason": "Done."}
    )

    assert response.status_code == 404
    assert Hold.objects.filter(released_at__isnull=True).count() == 2


def test_held_enrollments_can_be_listed(api: Api) -> None:
    held, free = held_case(), case_waiting_for_signature()

    found = {
        is_held: [row["id"] for row in api.get("enrollments/", is_held=is_held).json()["results"]]
        for is_held in ("true", "false")
    }

    assert found == {"true": [str(held.public_id)], "false": [str(free.public_id)]}


def test_list_query_count_is_the_same_for_three(api: Api, django_assert_num_queries: Any) -> None:
    for _ in range(3):
        held_case()
    api.get("sites/")  # records the use of the key, once an hour

    with django_assert_num_queries(
        6
    ):  # key and second factor, the count, the enrollments, their holds, their installations
        assert len(api.get("enrollments/").json()["results"]) == 3
