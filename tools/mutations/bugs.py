"""The deliberate bugs: where, the original text, its replacement, and what that would mean in production."""

from dataclasses import dataclass

CRASHES = "tests/integration/enrollments/test_crashes.py"
BAD_MOMENTS = "tests/integration/enrollments/test_bad_moments.py"
MAIN_FLOW = "tests/integration/enrollments/test_main_flow.py"
READING_LAG = "tests/integration/faults/test_reading_lag.py"
RIGHT_LOOKING = "tests/integration/faults/test_right_looking.py"
PLAUSIBILITY = "tests/unit/enrollments/test_plausibility.py"
REMOTE = "tests/integration/faults/test_remote.py"
DATES = "tests/integration/faults/test_dates.py"
DECISION = "tests/unit/enrollments/test_decision.py"
NOTICES = "tests/unit/enrollments/test_notices.py"
OFFERS = "tests/unit/enrollments/test_offers.py"
STARTS = "tests/unit/enrollments/test_start_dates.py"
POA_GUARDS = "tests/unit/poa_documents/test_authority_check.py"
POA_LIFE = "tests/integration/poa_documents/test_poa_life.py"
PORTAL = "tests/integration/poa_documents/test_portal.py"
RECEIVING = "tests/integration/webhooks/test_receiving.py"
SETTLING = "tests/integration/webhooks/test_settling.py"
FROM_LIGHT = "tests/integration/webhooks/test_from_light.py"
FIELD = "tests/integration/installations/test_field_pages.py"
STORED_FILES = "tests/unit/core/test_stored_files.py"
GOING_LIVE = "tests/integration/installations/test_go_live_reports.py"


@dataclass(frozen=True)
class Bug:
    """
    One edit of one file. `old` occurs there exactly once.

    `noticed_by` are the tests that are run against it, a file or a single test each, until the first one fails.
    """

    name: str
    invariant: str
    file: str
    old: str
    new: str
    why: str
    noticed_by: tuple[str, ...]


BUGS: tuple[Bug, ...] = (
    Bug(
        name="revoked-authority-passes",
        invariant="I1",
        file="poa_documents/authority.py",
        old="    if authority.status == PoaStatus.SIGNED or finishes_own_use:",
        new="    if authority.status in {PoaStatus.SIGNED, PoaStatus.REVOKED} or finishes_own_use:",
        why="An authority that the customer revoked still allows a call.",
        noticed_by=(f"{POA_GUARDS}::test_every_other_status_is_a_consent_failure_for_staff",),
    ),
    Bug(
        name="no-last-look-before-accepting",
        invariant="I1",
        file="enrollments/actions/writes.py",
        old="        return send(lambda: check_still_wanted(write, step, tools))\n",
        new="        return send(lambda: None)\n",
        why="A revocation that comes while the account token is fetched is overlooked.",
        noticed_by=(f"{BAD_MOMENTS}::test_change_while_the_token_is_fetched_stops_the_acceptance",),
    ),
    Bug(
        name="sealed-file-not-read-before-accepting",
        invariant="I1",
        file="enrollments/actions/acceptance.py",
        old="    verify_or_suspend(poa_id=step.poa_id, at=tools.clock.now())\n",
        new="",
        why="A plan is accepted although the document that proves the authority is gone.",
        noticed_by=(f"{BAD_MOMENTS}::test_nothing_is_accepted_under_a_lost_or_altered_document",),
    ),
    Bug(
        name="a-notice-is-not-waited-for",
        invariant="I1",
        file="enrollments/decision/decide.py",
        old="    if notice is not None and now < notice.until:\n",
        new="    if notice is not None and now < notice.until and not notice.is_sent:\n",
        why="A plan is accepted while the customer was told that they may still object.",
        noticed_by=(f"{NOTICES}::test_nothing_is_accepted_during_the_notice",),
    ),
    Bug(
        name="the-customers-hold-is-overlooked",
        invariant="I1",
        file="enrollments/decision/decide.py",
        old="    if facts.held_by_customer_since is not None:\n        return Wait(\n",
        new="    if facts.held_by_customer_since == now:\n        return Wait(\n",
        why="The customer presses “hold”, and the plan is accepted anyway.",
        noticed_by=(f"{NOTICES}::test_customer_hold_stops_requests_and_acceptances",),
    ),
    Bug(
        name="not-shown-at-once-means-not-done",
        invariant="I2",
        file="enrollments/actions/account_reading.py",
        old="    elif step.is_last_reading and account.is_acceptance_denied:",
        new="    elif account.is_acceptance_denied:",
        why="An acceptance that Light shows seconds later counts as failed, and a person is asked to send it again.",
        noticed_by=(
            f"{READING_LAG}::test_G1_acceptance_shown_within_the_settling_period_is_not_repeated",
            READING_LAG,
        ),
    ),
    Bug(
        name="a-lost-acceptance-is-sent-again",
        invariant="I2",
        file="enrollments/decision/lost_answers.py",
        old="    if kind == WriteKind.ACCEPT_PLAN and lost:",
        new="    if kind == WriteKind.ACCEPT_PLAN and lost > 1:",
        why="An acceptance that the account does not show yet is made a second time without a person.",
        noticed_by=(f"{DECISION}::test_lost_acceptance_is_never_repeated_without_a_person",),
    ),
    Bug(
        name="a-2xx-is-believed-unread",
        invariant="I5",
        file="enrollments/actions/acceptance.py",
        old="    if acceptance_at_light.is_proven_by(answer, sent_acceptance(attempt)):",
        new="    if answer is not None:",
        why="An error with status 200 counts as an accepted plan, and the customer is told so.",
        noticed_by=(f"{RIGHT_LOOKING}::test_R1_acceptance_without_effect_is_never_believed",),
    ),
    Bug(
        name="another-plan-is-finished",
        invariant="I3",
        file="enrollments/decision/after_acceptance.py",
        old="    if facts.accepted_differently and HoldCode.ACCEPTED_DIFFERENTLY not in facts.settled_codes:",
        new="    if facts.accepted_differently == facts.esi_id:",
        why="Light shows another start than the accepted one, and the enrollment is finalized anyway.",
        noticed_by=(f"{RIGHT_LOOKING}::test_R2_account_showing_another_plan_later_stops_finalizing",),
    ),
    Bug(
        name="dollars-pass-for-cents",
        invariant="I3",
        file="enrollments/decision/decide.py",
        old="for plan, verdict in judged if not plausibility.problems_with(plan))",
        new="for plan, verdict in judged)",
        why="A price that cannot be right is chosen, because it is below every limit.",
        noticed_by=(PLAUSIBILITY,),
    ),
    Bug(
        name="two-workers-take-one-case",
        invariant="I2",
        file="enrollments/engine/leases.py",
        old="    if ours.filter(due_at__lte=at, lease_until__isnull=True).update(**taken):",
        new="    if ours.filter(due_at__lte=at).update(**taken):",
        why="A second worker takes a case that another one is processing.",
        noticed_by=(f"{CRASHES}::test_second_worker_finds_nothing_to_do", CRASHES),
    ),
    Bug(
        name="a-use-is-not-counted",
        invariant="I2",
        file="poa_documents/actions/lifecycle.py",
        old="    poa.uses_made += 1\n",
        new="",
        why="One authority serves for any number of acceptances.",
        noticed_by=(f"{POA_LIFE}::test_last_use_exhausts_an_authority", MAIN_FLOW),
    ),
    Bug(
        name="a-field-left-out-fits",
        invariant="I3",
        file="enrollments/decision/offers.py",
        old='    limit = f"at most {_quantity(signed, unit)}"\n    if offered is None:\n'
        "        return _unsaid(field, limit)\n",
        new='    limit = f"at most {_quantity(signed, unit)}"\n    if offered is None:\n'
        '        return FieldVerdict(field, limit, "not given", fits=True, because="The offer does not say.")\n',
        why="A price or fee that the offer does not name counts as within the limit.",
        noticed_by=(OFFERS,),
    ),
    Bug(
        name="a-limit-gives-way",
        invariant="I3",
        file="enrollments/decision/offers.py",
        old="    if offered > signed:\n",
        new="    if offered > signed * 2:\n",
        why="Plans up to twice as expensive as signed for are accepted.",
        noticed_by=(OFFERS,),
    ),
    Bug(
        name="the-offer-is-not-judged-at-the-call",
        invariant="I3",
        file="enrollments/decision/decide.py",
        old="    judged = [(offer.plan, offers.judge(offer.plan, facts.known_authority.limits)) for offer in fresh]",
        new="    judged = [(offer.plan, offers.Verdict(())) for offer in fresh]",
        why="Any plan is chosen, whatever the customer signed for; the guard at the call must still stop it.",
        noticed_by=(f"{MAIN_FLOW}::test_offer_outside_the_limits_is_held_and_never_accepted",),
    ),
    Bug(
        name="the-window-opens-too-early",
        invariant="I4",
        file="enrollments/decision/start_dates.py",
        old="DEFAULT_WINDOW = Window(first_day=8, last_day=29)",
        new="DEFAULT_WINDOW = Window(first_day=6, last_day=29)",
        why="A start is named that Light's window does not allow yet.",
        noticed_by=(f"{STARTS}::test_one_day_of_margin_is_kept_at_both_ends", STARTS),
    ),
    Bug(
        name="days-are-counted-in-utc",
        invariant="I4",
        file="core/dates.py",
        old="    return at.astimezone(CHICAGO).date()",
        new="    return at.astimezone(UTC).date()",
        why="In the evening in Texas it is already tomorrow in UTC, so the start is a day off.",
        noticed_by=("tests/unit/core/test_dates.py::test_instant_has_its_chicago_day",),
    ),
    Bug(
        name="midnight-is-not-noticed",
        invariant="I4",
        file="enrollments/actions/writes.py",
        old="    if decide(case.facts, now=at, policy=policy) != step:",
        new="    if type(decide(case.facts, now=at, policy=policy)) is not type(step):",
        why="An acceptance decided before midnight is sent after it with yesterday's start.",
        noticed_by=(f"{DATES}::test_D1_midnight_between_decision_and_call_moves_the_start",),
    ),
    Bug(
        name="a-dead-workers-call-counts-as-not-made",
        invariant="I5",
        file="enrollments/actions/writes.py",
        old='        record_doubt(write.pk, outcome="The worker stopped before it stored an answer.", at=at)',
        new='        close_not_done(write.pk, outcome="The worker stopped before it stored an answer.", at=at)',
        why="What a dead worker sent is sent again without asking Light whether it happened.",
        noticed_by=(f"{CRASHES}::test_worker_killed_around_a_call_changes_no_outcome",),
    ),
    Bug(
        name="a-call-inside-a-transaction",
        invariant="I5",
        file="enrollments/actions/writes.py",
        old="        return send(lambda: check_still_wanted(write, step, tools))\n",
        new="        return repeatable(send)(lambda: check_still_wanted(write, step, tools))\n",
        why="A crash or a rollback during the call also loses the record of the call.",
        noticed_by=(f"{MAIN_FLOW}::test_case_goes_straight_to_active_service",),
    ),
    Bug(
        name="a-server-error-means-nothing-happened",
        invariant="I5",
        file="enrollments/light/client.py",
        old="        is_telling = 400 <= answer.status < 500 and answer.status != 408",
        new="        is_telling = 400 <= answer.status < 600 and answer.status != 408",
        why="A write that Light carried out before it failed to respond counts as refused.",
        noticed_by=(f"{REMOTE}::test_L3_L4_missing_answer_is_settled_by_reading",),
    ),
    Bug(
        name="any-move-from-anywhere",
        invariant="I6",
        file="enrollments/actions/moves.py",
        old="    move = find_move(MOVES, name, subject=str(enrollment), status=old_status)",
        new="    move = MOVES[name]",
        why="Old news moves a case back: an active service is finalized again.",
        noticed_by=("tests/integration/enrollments/test_moving.py",),
    ),
    Bug(
        name="a-webhook-is-believed",
        invariant="I6",
        file="enrollments/actions/webhook_processing.py",
        old="    _nudge(enrollment, at=at)\n",
        new="    _nudge(enrollment, at=at)\n"
        '    if event.name == "location.service_active":\n'
        '        enrollment.status = "ACTIVE"\n'
        "        enrollment.save()\n",
        why="Anyone who can send an event, or send it late, controls the case.",
        noticed_by=(f"{SETTLING}::test_webhook_alone_moves_nothing", FROM_LIGHT),
    ),
    Bug(
        name="a-stored-file-is-not-read-back",
        invariant="I7",
        file="core/stored_files.py",
        old="        read(file)\n    except FileAltered as problem:\n        raise FileNotStored",
        new="    except FileAltered as problem:\n        raise FileNotStored",
        why="“Signed” is shown for a file that storage never kept.",
        noticed_by=(STORED_FILES,),
    ),
    Bug(
        name="an-altered-file-is-handed-out",
        invariant="I7",
        file="core/stored_files.py",
        old="    if hashlib.sha256(content).hexdigest() != file.sha256:",
        new="    if len(content) != file.size_bytes:",
        why="A different document of the same length counts as the one that was signed.",
        noticed_by=(STORED_FILES,),
    ),
    Bug(
        name="a-webhook-is-stored-and-forgotten",
        invariant="I8",
        file="enrollments/actions/webhooks.py",
        old="        due_at=at,\n",
        new="",
        why="The row exists, but nothing ever processes it.",
        noticed_by=(f"{SETTLING}::test_sweep_finds_what_is_due", RECEIVING),
    ),
    Bug(
        name="a-failed-webhook-keeps-no-error",
        invariant="I8",
        file="enrollments/actions/webhook_processing.py",
        old='    delivery.outcome = ""\n    delivery.last_error = problem\n',
        new="",
        why="What could not be understood is neither due nor listed as failed.",
        noticed_by=(f"{RECEIVING}::test_W9_signed_malformed_webhook_is_kept_as_failed",),
    ),
    Bug(
        name="a-waiting-case-has-no-next-time",
        invariant="I9",
        file="enrollments/engine/engine.py",
        old="        leases.release(turn, due_at=_due_at(step), shown=shown)",
        new="        leases.release(turn, due_at=None, shown=shown)",
        why="A case that waits for a date or for Light is never processed again without a message.",
        noticed_by=(f"{MAIN_FLOW}::test_frozen_credit_delays_the_case", MAIN_FLOW),
    ),
    Bug(
        name="a-dead-workers-case-is-not-found",
        invariant="I9",
        file="enrollments/engine/leases.py",
        old="(Q(due_at__lte=at) & free | Q(lease_until__lte=at))",
        new="(Q(due_at__lte=at) & free)",
        why="A case that a dead worker was processing is never taken over.",
        noticed_by=(f"{CRASHES}::test_sweep_finds_the_work_of_a_dead_worker",),
    ),
    Bug(
        name="only-moves-leave-evidence",
        invariant="I10",
        file="enrollments/actions/moves.py",
        old="    if poa is not None:\n",
        new="    if poa is not None and old_status != enrollment.status:\n",
        why="Calls, holds and readings leave no trace in the journal.",
        noticed_by=(f"{MAIN_FLOW}::test_light_receives_the_signing_instant",),
    ),
    Bug(
        name="an-entrys-words-are-not-in-its-hash",
        invariant="I10",
        file="poa_documents/journal/chain.py",
        old='        "details": entry.details,\n',
        new="",
        why="The content of an entry can be rewritten, and the chain still verifies.",
        noticed_by=(f"{POA_LIFE}::test_altered_entry_is_named",),
    ),
    Bug(
        name="a-wrong-form-costs-its-photo",
        invariant="I11",
        file="installations/field/views.py",
        old="    if form.checked_proof:\n",
        new="    if form.checked_proof and form.is_valid():\n",
        why="A typing error in the form loses the photo that was sent with it.",
        noticed_by=(f"{FIELD}::test_fixed_form_counts_with_the_saved_photo",),
    ),
    Bug(
        name="a-report-loses-its-photos",
        invariant="I11",
        file="installations/actions/go_live_reports.py",
        old="for name in PROOF_FIELDS}) for kept in kept_proofs\n",
        new="for name in PROOF_FIELDS}) for kept in kept_proofs[1:]\n",
        why="The first photo of each report is thrown away.",
        noticed_by=(f"{GOING_LIVE}::test_corrected_form_reuses_the_kept_photo", GOING_LIVE),
    ),
    Bug(
        name="a-signature-kept-before-is-lost",
        invariant="I11",
        file="poa_documents/actions/signatures.py",
        old="    poa.signature_text = clean_signature(signature_kind, signature_text)\n",
        new="",
        why="The document counts as signed, and the signature itself is kept nowhere.",
        noticed_by=(f"{POA_LIFE}::test_signature_is_encrypted_in_the_database", PORTAL),
    ),
    Bug(
        name="answers-are-kept-with-their-secrets",
        invariant="I12",
        file="enrollments/actions/writes.py",
        old="    write.answer = redact(answer)",
        new="    write.answer = answer",
        why="E-mail, phone and birth date of the customer are readable in the records of calls.",
        noticed_by=(f"{MAIN_FLOW}::test_call_records_hold_no_customer_data",),
    ),
    Bug(
        name="tokens-in-log-lines",
        invariant="I12",
        file="operations/log_redaction.py",
        old='    re.compile(r"(?i)(?<=bearer )[^\\s\\"\',]+"),\n',
        new="",
        why="Anyone who reads the log can call Light in our name.",
        noticed_by=("tests/unit/operations/test_log_redaction.py",),
    ),
)
