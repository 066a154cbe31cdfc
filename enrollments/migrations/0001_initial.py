from datetime import UTC, date, datetime

import core.public_records
import django.db.models.deletion
from django.db import migrations, models

from core.update_times import keep_updated_at


RULES = (
    ("UNSIGNED", "REQUEST_END", 12, "Domain notes, section 9: declined or unsent requests."),
    ("CASE", "ENROLLMENT", 24, "16 TAC 25.474: records of authorization and verification."),
    ("CASE", "CONTRACT_END", 48, "Limitation of contract claims."),
)


def provide_retention_rules(apps, _schema_editor):
    apps.get_model("enrollments", "RetentionRule").objects.bulk_create(
        apps.get_model("enrollments", "RetentionRule")(
            record_class=record_class,
            clock=clock,
            months=months,
            source=source,
            effective_from_date=date(2026, 1, 1),
            decided_by="system",
            decided_at=datetime(2026, 1, 1, 6, tzinfo=UTC),
        )
        for record_class, clock, months, source in RULES
    )


class Migration(migrations.Migration):

    initial = True

    dependencies = [
        ('installations', '0001_initial'),
        ('poa_documents', '0001_initial'),
    ]

    operations = [
        migrations.CreateModel(
            name='DatabasePlace',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('public_id', models.UUIDField(default=core.public_records.new_public_id, editable=False, unique=True, verbose_name='identifier')),
                ('place', models.CharField(max_length=200)),
                ('since', models.DateTimeField()),
            ],
            options={
                'abstract': False,
            },
        ),
        migrations.CreateModel(
            name='Destruction',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('public_id', models.UUIDField(default=core.public_records.new_public_id, editable=False, unique=True, verbose_name='identifier')),
                ('record_class', models.CharField(choices=[('UNSIGNED', 'Request that was declined, expired, voided or never sent'), ('CASE', 'Case with a signed authority: document, consents, offers, proofs, evidence')], max_length=10, verbose_name='what was destroyed')),
                ('subject', models.CharField(editable=False, help_text='The kind of record, and its public ID.', max_length=60)),
                ('rule', models.TextField(help_text='The rules that applied, and the days on which they started.')),
                ('kept_until_date', models.DateField()),
                ('sha256', models.CharField(help_text='Of what was destroyed; for a case, the fingerprint of its evidence pack.', max_length=64, verbose_name='SHA-256')),
                ('rows', models.JSONField(default=dict, help_text='How many rows of each kind.')),
                ('actor', models.CharField(max_length=60, verbose_name='by')),
                ('at', models.DateTimeField()),
            ],
            options={
                'ordering': ('-at', '-pk'),
            },
        ),
        migrations.CreateModel(
            name='LightPace',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('public_id', models.UUIDField(default=core.public_records.new_public_id, editable=False, unique=True, verbose_name='identifier')),
                ('free_at', models.DateTimeField(help_text='When the next call may be sent.')),
                ('seconds_per_call', models.FloatField(help_text='The current interval between calls.')),
            ],
            options={
                'verbose_name_plural': 'pace of calls to Light',
            },
        ),
        migrations.CreateModel(
            name='Pause',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('public_id', models.UUIDField(default=core.public_records.new_public_id, editable=False, unique=True, verbose_name='identifier')),
                ('updated_at', models.DateTimeField(db_default=core.public_records.DatabaseNow(), editable=False)),
                ('light_plan_group', models.UUIDField(blank=True, help_text='Empty: all acceptances are paused.', null=True, verbose_name='Light plan group')),
                ('reason', models.TextField()),
                ('started_at', models.DateTimeField()),
                ('started_by', models.CharField(max_length=60)),
                ('ended_at', models.DateTimeField(blank=True, null=True)),
                ('ended_by', models.CharField(blank=True, max_length=60)),
            ],
            options={
                'ordering': ('-started_at', '-pk'),
            },
        ),
        migrations.CreateModel(
            name='ReconciliationRun',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('public_id', models.UUIDField(default=core.public_records.new_public_id, editable=False, unique=True, verbose_name='identifier')),
                ('started_at', models.DateTimeField()),
                ('started_by', models.CharField(max_length=60)),
                ('finished_at', models.DateTimeField(blank=True, null=True)),
                ('last_enrollment_id', models.PositiveBigIntegerField(default=0, help_text='How far the run has come.')),
                ('read_count', models.PositiveIntegerField(default=0, verbose_name='accounts read')),
                ('matching_count', models.PositiveIntegerField(default=0, verbose_name='accounts that match')),
                ('unread_count', models.PositiveIntegerField(default=0, verbose_name='accounts that could not be read')),
            ],
            options={
                'ordering': ('-started_at', '-pk'),
            },
        ),
        migrations.CreateModel(
            name='Enrollment',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('public_id', models.UUIDField(default=core.public_records.new_public_id, editable=False, unique=True, verbose_name='identifier')),
                ('updated_at', models.DateTimeField(db_default=core.public_records.DatabaseNow(), editable=False)),
                ('status', models.CharField(choices=[('OPEN', 'Open'), ('ACCEPTING', 'Accepting a plan'), ('IN_DOUBT', 'Acceptance in doubt'), ('ACCEPTED', 'Plan accepted'), ('FINALIZED', 'Finalized, service ahead'), ('ACTIVE', 'Service active'), ('ENDED', 'Ended')], default='OPEN', editable=False, max_length=12)),
                ('opened_at', models.DateTimeField()),
                ('attested_at', models.DateTimeField(blank=True, help_text='When Light confirmed our attestation.', null=True)),
                ('light_account_uuid', models.UUIDField(blank=True, null=True, unique=True, verbose_name='Light account')),
                ('light_status', models.CharField(blank=True, max_length=100, verbose_name="Light's status")),
                ('light_status_since', models.DateTimeField(blank=True, null=True)),
                ('light_stage', models.CharField(blank=True, help_text='Derived when it was last read.', max_length=12, verbose_name='how far the account has come')),
                ('light_account', models.JSONField(blank=True, default=dict, verbose_name="Light's account as last read")),
                ('last_read_at', models.DateTimeField(blank=True, null=True)),
                ('last_read_in_turn', models.CharField(blank=True, editable=False, help_text='The engine turn that last read it.', max_length=36)),
                ('readings_asked', models.PositiveIntegerField(default=0, help_text='How often an extra reading was requested, usually by a webhook.')),
                ('readings_given', models.PositiveIntegerField(default=0, help_text='How many of those had been requested when the last reading began.')),
                ('held_by_customer_at', models.DateTimeField(blank=True, help_text='Nothing is accepted until the customer resumes it.', null=True, verbose_name='on hold by the customer since')),
                ('service_start_date', models.DateField(blank=True, null=True)),
                ('service_end_date', models.DateField(blank=True, help_text='The last day of service, if Light shows one.', null=True)),
                ('accepted_at', models.DateTimeField(blank=True, null=True)),
                ('finalized_at', models.DateTimeField(blank=True, null=True)),
                ('active_at', models.DateTimeField(blank=True, null=True)),
                ('ended_at', models.DateTimeField(blank=True, null=True)),
                ('ended_because', models.TextField(blank=True)),
                ('left_reason', models.CharField(blank=True, choices=[('MOVED', 'Moved'), ('SWITCHED', 'Switched to another company'), ('PRICE', 'Price'), ('BILLING_TROUBLE', 'Trouble with bills or payments'), ('DECEASED', 'Died'), ('NEVER_STARTED', 'Service never started'), ('OTHER', 'Other')], help_text='As the office learned from the customer.', max_length=20, verbose_name='why they left')),
                ('win_back_note', models.TextField(blank=True, verbose_name='what could win them back')),
                ('due_at', models.DateTimeField(blank=True, help_text='When the engine must decide again.', null=True)),
                ('leased_by', models.CharField(blank=True, help_text='The engine turn that is working on it.', max_length=36)),
                ('lease_until', models.DateTimeField(blank=True, help_text='Renewed by the worker. Once it has passed, the worker is presumed dead.', null=True)),
                ('calls_not_before', models.DateTimeField(blank=True, help_text='Light asked us to wait or could not be reached: no calls before this time.', null=True)),
                ('failures', models.PositiveSmallIntegerField(default=0, help_text='How often in a row our processing failed.')),
                ('failing_since', models.DateTimeField(blank=True, help_text='Since when our processing has failed.', null=True)),
                ('calls_failed', models.PositiveSmallIntegerField(default=0, help_text='How often in a row Light could not be reached, or asked us to wait.')),
                ('calls_failing_since', models.DateTimeField(blank=True, help_text='Since when Light could not be reached for this case, or asked us to wait.', null=True)),
                ('last_error', models.TextField(blank=True)),
                ('decided_at', models.DateTimeField(blank=True, help_text='When the next step was last decided.', null=True)),
                ('next_step', models.CharField(blank=True, max_length=30)),
                ('because', models.TextField(blank=True, help_text='Why this is the next step, in one sentence.')),
                ('act_by_date', models.DateField(blank=True, help_text='The last day on which acting still helps.', null=True)),
                ('whose_turn', models.CharField(blank=True, choices=[('OFFICE', 'Office'), ('CUSTOMER', 'Customer'), ('TECHNICIAN', 'Technician'), ('OPERATIONS', 'Operations')], max_length=12)),
                ('customer_code', models.CharField(blank=True, help_text="Decided with the next step. The customer's page and mails follow it.", max_length=30, verbose_name='what the customer is told')),
                ('customer_until_date', models.DateField(blank=True, help_text="The date that the customer's page mentions.", null=True, verbose_name='date shown to the customer')),
                ('changes_noted', models.PositiveIntegerField(default=0, help_text='How often the case changed in a way that requires a new decision.')),
                ('changes_decided', models.PositiveIntegerField(default=0, help_text='How many of those changes the stored decision includes.')),
                ('gates', models.JSONField(blank=True, default=list, help_text='The three gates as last decided: name, is_open and because.')),
                ('attested_poa', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='attested_enrollments', to='poa_documents.poadocument')),
                ('customer', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='enrollments', to='installations.customer')),
                ('installations', models.ManyToManyField(related_name='enrollments', to='installations.installation')),
                ('site', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='enrollments', to='installations.site')),
            ],
            options={
                'ordering': ('-opened_at', '-pk'),
            },
        ),
        migrations.CreateModel(
            name='EvidencePackRead',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('public_id', models.UUIDField(default=core.public_records.new_public_id, editable=False, unique=True, verbose_name='identifier')),
                ('actor', models.CharField(max_length=60, verbose_name='downloaded by')),
                ('at', models.DateTimeField()),
                ('sha256', models.CharField(max_length=64, verbose_name='fingerprint (SHA-256)')),
                ('size_bytes', models.PositiveBigIntegerField()),
                ('newest_fact_at', models.DateTimeField(help_text='The newest fact in it.', verbose_name='as of')),
                ('missing', models.JSONField(blank=True, default=list, help_text='Files that were missing or altered.')),
                ('enrollment', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='evidence_reads', to='enrollments.enrollment')),
            ],
            options={
                'ordering': ('-at', '-pk'),
            },
        ),
        migrations.CreateModel(
            name='LightWrite',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('public_id', models.UUIDField(default=core.public_records.new_public_id, editable=False, unique=True, verbose_name='identifier')),
                ('kind', models.CharField(choices=[('CREATE_ACCOUNT', 'Create account'), ('RECORD_CLIENT_AGENT', 'Record client agent'), ('REQUEST_PLANS', 'Request plans'), ('ACCEPT_PLAN', 'Accept plan'), ('FINALIZE', 'Finalize'), ('UPDATE_ACCOUNT', "Correct the account's e-mail address")], max_length=20)),
                ('status', models.CharField(choices=[('OPEN', 'In progress'), ('IN_DOUBT', 'In doubt'), ('DONE', 'Done'), ('NOT_DONE', 'Did not happen'), ('REFUSED', 'Refused by Light')], default='OPEN', max_length=10)),
                ('opened_at', models.DateTimeField()),
                ('sent_at', models.DateTimeField(blank=True, help_text='Set immediately before sending. If empty, it was never sent.', null=True)),
                ('closed_at', models.DateTimeField(blank=True, null=True)),
                ('request', models.JSONField(default=dict, help_text='What was sent, without secrets and personal data.')),
                ('answer', models.JSONField(blank=True, default=dict, help_text='What came back, without secrets and personal data.')),
                ('outcome', models.TextField(blank=True)),
                ('hold_code', models.CharField(blank=True, choices=[('AUTHORITY_ENDED', 'The authority ended'), ('AUTHORITY_UNCLEAR', 'The authority is unclear'), ('REVOKED_AFTER_ACCEPTANCE', 'Revoked after the acceptance'), ('OUTSIDE_LIMITS', 'No offer within the signed limits'), ('IMPLAUSIBLE_OFFER', 'Implausible offer'), ('OFFERS_EXPIRED', 'Offers had expired on arrival'), ('NO_PROGRESS', 'No progress after repeating a step'), ('TOO_MANY_CALLS', 'Too many calls to Light in a day'), ('OFFER_UNCLEAR', 'Offer is missing required details'), ('NO_PLANS', 'Light offers no plan'), ('NO_LEGAL_START', 'No legal start date'), ('ACCEPTED_DIFFERENTLY', 'Light accepted something else'), ('SELF_ENROLLED', 'Accepted without us'), ('COMPLETE_BUT_NOT_READY', 'Complete but not ready at Light'), ('UNKNOWN_LIGHT_STATUS', 'Unknown status at Light'), ('REFUSED_BY_LIGHT', 'Light refused a call'), ('OUTCOME_UNKNOWN', 'Outcome of a call is unknown'), ('ACCOUNT_UNCLEAR', 'Unclear which Light account is ours'), ('WRONG_DIALECT', 'Light does not recognize a URL we call'), ('REDIRECTED', 'Light redirects a call to another URL'), ('NOT_AUTHORIZED', 'Light rejects our token'), ('CANCEL_REPORTED', 'Light reported a cancellation'), ('CUSTOMER_LEFT', 'Customer is leaving or has left'), ('GO_LIVE_WITHDRAWN', 'Go-live changed after the acceptance'), ('NOT_ACTIVE_IN_TIME', 'Service did not start in time'), ('MAIL_RETURNED', 'E-mail to the customer bounces'), ('REPEATED_FAILURES', 'Our own processing keeps failing')], help_text='The hold that a refusal of this call leads to.', max_length=30)),
                ('doubt_since', models.DateTimeField(blank=True, null=True)),
                ('doubt_readings', models.PositiveSmallIntegerField(default=0)),
                ('enrollment', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='writes', to='enrollments.enrollment')),
            ],
            options={
                'ordering': ('opened_at', 'pk'),
            },
        ),
        migrations.CreateModel(
            name='PlanOffer',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('public_id', models.UUIDField(default=core.public_records.new_public_id, editable=False, unique=True, verbose_name='identifier')),
                ('updated_at', models.DateTimeField(db_default=core.public_records.DatabaseNow(), editable=False)),
                ('light_plan_uuid', models.UUIDField(verbose_name='Light plan')),
                ('light_plan_group', models.UUIDField(blank=True, null=True, verbose_name='Light plan group')),
                ('name', models.CharField(blank=True, max_length=200)),
                ('esi_id', models.CharField(max_length=22, verbose_name='ESI ID')),
                ('rate_kind', models.CharField(blank=True, max_length=40)),
                ('term_months', models.PositiveSmallIntegerField(blank=True, null=True)),
                ('average_cents_per_kwh_500', models.DecimalField(blank=True, decimal_places=6, max_digits=12, null=True)),
                ('average_cents_per_kwh_1000', models.DecimalField(blank=True, decimal_places=6, max_digits=12, null=True)),
                ('average_cents_per_kwh_2000', models.DecimalField(blank=True, decimal_places=6, max_digits=12, null=True)),
                ('energy_cents_per_kwh', models.DecimalField(blank=True, decimal_places=6, max_digits=12, null=True)),
                ('delivery_cents_per_kwh', models.DecimalField(blank=True, decimal_places=6, max_digits=12, null=True)),
                ('base_fee_dollars', models.DecimalField(blank=True, decimal_places=4, max_digits=12, null=True)),
                ('termination_fee_dollars', models.DecimalField(blank=True, decimal_places=4, max_digits=12, null=True)),
                ('buyback_cents_per_kwh', models.DecimalField(blank=True, decimal_places=6, max_digits=12, null=True)),
                ('efl_url', models.CharField(blank=True, max_length=500, verbose_name='EFL')),
                ('tos_url', models.CharField(blank=True, max_length=500, verbose_name='TOS')),
                ('yrac_url', models.CharField(blank=True, max_length=500, verbose_name='YRAC')),
                ('requested_at', models.DateTimeField()),
                ('stale_at', models.DateTimeField(help_text='From then on, plans are requested again.')),
                ('verdict', models.JSONField(default=list, help_text='For each field: the signed limit, the offer, whether it fits.')),
                ('fits', models.BooleanField(default=False, help_text='Whether every limited field fits the envelope.')),
                ('implausible_because', models.TextField(blank=True, help_text='Why these numbers cannot be right. Such a plan is not accepted.', verbose_name='implausible because')),
                ('raw', models.JSONField(default=dict, help_text='The plan exactly as Light sent it.')),
                ('enrollment', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='offers', to='enrollments.enrollment')),
                ('write', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='offers', to='enrollments.lightwrite')),
            ],
            options={
                'ordering': ('-requested_at', 'pk'),
            },
        ),
        migrations.CreateModel(
            name='PlanDocument',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('public_id', models.UUIDField(default=core.public_records.new_public_id, editable=False, unique=True, verbose_name='identifier')),
                ('updated_at', models.DateTimeField(db_default=core.public_records.DatabaseNow(), editable=False)),
                ('kind', models.CharField(choices=[('EFL', 'Electricity Facts Label'), ('TOS', 'Terms of Service'), ('YRAC', 'Your Rights as a Customer')], max_length=4)),
                ('url', models.CharField(blank=True, max_length=500, verbose_name='URL')),
                ('owed_since', models.DateTimeField()),
                ('due_at', models.DateTimeField(blank=True, help_text='The next try; empty once given up.', null=True)),
                ('attempts', models.PositiveSmallIntegerField(default=0)),
                ('last_error', models.TextField(blank=True)),
                ('stored_at', models.DateTimeField(blank=True, null=True)),
                ('storage_key', models.CharField(blank=True, max_length=200)),
                ('sha256', models.CharField(blank=True, max_length=64, verbose_name='SHA-256')),
                ('size_bytes', models.PositiveIntegerField(blank=True, null=True)),
                ('content_type', models.CharField(blank=True, max_length=40)),
                ('offer', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='documents', to='enrollments.planoffer')),
            ],
            options={
                'ordering': ('offer', 'kind'),
            },
        ),
        migrations.AddField(
            model_name='enrollment',
            name='accepted_offer',
            field=models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='accepted_by', to='enrollments.planoffer'),
        ),
        migrations.CreateModel(
            name='AdvanceNotice',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('public_id', models.UUIDField(default=core.public_records.new_public_id, editable=False, unique=True, verbose_name='identifier')),
                ('updated_at', models.DateTimeField(db_default=core.public_records.DatabaseNow(), editable=False)),
                ('start_date', models.DateField(help_text='The start of service that was announced.')),
                ('given_at', models.DateTimeField()),
                ('until', models.DateTimeField(help_text='The plan may be accepted from this midnight in Chicago.')),
                ('poa', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='notices', to='poa_documents.poadocument')),
                ('enrollment', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='notices', to='enrollments.enrollment')),
                ('offer', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='notices', to='enrollments.planoffer')),
            ],
            options={
                'ordering': ('given_at', 'pk'),
            },
        ),
        migrations.CreateModel(
            name='AcceptAttempt',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('public_id', models.UUIDField(default=core.public_records.new_public_id, editable=False, unique=True, verbose_name='identifier')),
                ('poa_sha256', models.CharField(max_length=64, verbose_name='SHA-256 of the sealed POA')),
                ('offer_sha256', models.CharField(blank=True, help_text='Of the offer exactly as Light sent it.', max_length=64, verbose_name='SHA-256 of the offer')),
                ('poa_use', models.PositiveSmallIntegerField(default=1)),
                ('esi_id', models.CharField(max_length=22, verbose_name='ESI ID')),
                ('service_start_date', models.DateField()),
                ('chicago_date', models.DateField(help_text='The Chicago day on which it was sent.')),
                ('succeeded', models.BooleanField(help_text='Empty while unknown.', null=True)),
                ('poa', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='acceptances', to='poa_documents.poadocument')),
                ('enrollment', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='acceptances', to='enrollments.enrollment')),
                ('write', models.OneToOneField(on_delete=django.db.models.deletion.PROTECT, related_name='acceptance', to='enrollments.lightwrite')),
                ('offer', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='acceptances', to='enrollments.planoffer')),
            ],
            options={
                'ordering': ('pk',),
            },
        ),
        migrations.CreateModel(
            name='Difference',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('public_id', models.UUIDField(default=core.public_records.new_public_id, editable=False, unique=True, verbose_name='identifier')),
                ('kind', models.CharField(choices=[('ACCEPTED_UNKNOWN_TO_US', 'Light has an acceptance that we do not know about'), ('ACCEPTED_DIFFERENTLY', 'Light shows another plan or start than ours'), ('FINALIZED_AT_LIGHT', 'Finalized at Light, not here'), ('ACTIVE_AT_LIGHT', 'Active at Light, not here'), ('ENDED_AT_LIGHT', 'Ended at Light, not here'), ('ENDING_AT_LIGHT', 'Service ends soon at Light, not known here'), ('NOT_SHOWN_AT_LIGHT', 'Light does not show what we did'), ('UNDER_WAY', 'A call is under way or in doubt'), ('UNREADABLE', 'We cannot read the account'), ('ACCOUNT_UNKNOWN_TO_LIGHT', 'Light does not know the account'), ('ACCOUNT_WITHOUT_CASE', 'An account at Light belongs to no case'), ('NOT_READ', 'The account could not be read')], max_length=30)),
                ('light_account_uuid', models.CharField(max_length=64, verbose_name='Light account')),
                ('ours', models.TextField(blank=True, verbose_name='our record')),
                ('theirs', models.TextField(blank=True, verbose_name='what Light shows')),
                ('repair', models.TextField(verbose_name='what to do')),
                ('enrollment', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='differences', to='enrollments.enrollment')),
                ('run', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='differences', to='enrollments.reconciliationrun')),
            ],
            options={
                'ordering': ('run', 'pk'),
            },
        ),
        migrations.CreateModel(
            name='RemoteCall',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('public_id', models.UUIDField(default=core.public_records.new_public_id, editable=False, unique=True, verbose_name='identifier')),
                ('purpose', models.CharField(max_length=40)),
                ('method', models.CharField(max_length=8)),
                ('path', models.CharField(max_length=200)),
                ('http_status', models.PositiveSmallIntegerField(blank=True, null=True)),
                ('seconds', models.FloatField()),
                ('problem', models.TextField(blank=True)),
                ('at', models.DateTimeField()),
                ('enrollment', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='remote_calls', to='enrollments.enrollment')),
            ],
            options={
                'ordering': ('at', 'pk'),
            },
        ),
        migrations.CreateModel(
            name='RetentionRule',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('public_id', models.UUIDField(default=core.public_records.new_public_id, editable=False, unique=True, verbose_name='identifier')),
                ('record_class', models.CharField(choices=[('UNSIGNED', 'Request that was declined, expired, voided or never sent'), ('CASE', 'Case with a signed authority: document, consents, offers, proofs, evidence')], max_length=10, verbose_name='what is kept')),
                ('clock', models.CharField(choices=[('REQUEST_END', 'from the day on which the request ended'), ('ENROLLMENT', 'from the enrollment'), ('CONTRACT_END', 'from the end of the contract')], max_length=12, verbose_name='counted')),
                ('months', models.PositiveSmallIntegerField()),
                ('effective_from_date', models.DateField()),
                ('source', models.TextField(help_text='The law or legal advice it is based on.')),
                ('decided_by', models.CharField(max_length=60)),
                ('decided_at', models.DateTimeField()),
            ],
            options={
                'ordering': ('record_class', 'clock', '-effective_from_date'),
                'constraints': [models.UniqueConstraint(fields=('record_class', 'clock', 'effective_from_date'), name='one_retention_rule_per_clock_and_day')],
            },
        ),
        migrations.CreateModel(
            name='SystemHold',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('public_id', models.UUIDField(default=core.public_records.new_public_id, editable=False, unique=True, verbose_name='identifier')),
                ('reason', models.TextField()),
                ('needs_reconciliation', models.BooleanField(default=False, help_text='After a restore: every account must have been read before it can be released.')),
                ('started_at', models.DateTimeField()),
                ('started_by', models.CharField(max_length=60)),
                ('ended_at', models.DateTimeField(blank=True, null=True)),
                ('ended_by', models.CharField(blank=True, max_length=60)),
            ],
            options={
                'ordering': ('-started_at', '-pk'),
                'indexes': [models.Index(condition=models.Q(('ended_at__isnull', True)), fields=['started_at'], name='system_hold_open')],
                'constraints': [models.CheckConstraint(condition=models.Q(models.Q(('ended_at__isnull', True), ('ended_by', '')), models.Q(('ended_at__isnull', False), models.Q(('ended_by', ''), _negated=True)), _connector='OR'), name='system_hold_ended_by_whom')],
            },
        ),
        migrations.CreateModel(
            name='WebhookDelivery',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('public_id', models.UUIDField(default=core.public_records.new_public_id, editable=False, unique=True, verbose_name='identifier')),
                ('event_key', models.CharField(help_text="Light's event id, or the hash of the body when it has none.", max_length=100, unique=True)),
                ('body', models.TextField(help_text='The raw body. Bytes that are not text are shown as \\xNN.')),
                ('body_sha256', models.CharField(max_length=64, verbose_name='SHA-256 of the body')),
                ('headers', models.JSONField(default=dict, help_text='As received, without the signature.')),
                ('event_name', models.CharField(blank=True, max_length=100)),
                ('light_account_uuid', models.CharField(blank=True, max_length=64, verbose_name='Light account')),
                ('received_at', models.DateTimeField()),
                ('due_at', models.DateTimeField(blank=True, db_index=True, null=True)),
                ('attempts', models.PositiveSmallIntegerField(default=0)),
                ('settled_at', models.DateTimeField(blank=True, null=True)),
                ('outcome', models.TextField(blank=True)),
                ('last_error', models.TextField(blank=True)),
                ('enrollment', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='deliveries', to='enrollments.enrollment')),
            ],
            options={
                'verbose_name_plural': 'webhook deliveries',
                'ordering': ('-received_at', '-pk'),
            },
        ),
        migrations.CreateModel(
            name='WebhookRefusal',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('public_id', models.UUIDField(default=core.public_records.new_public_id, editable=False, unique=True, verbose_name='identifier')),
                ('date', models.DateField()),
                ('sender', models.CharField(choices=[('LIGHT', 'Light'), ('MAIL', 'Mail provider')], default='LIGHT', help_text='The endpoint that was called. Who called it is unknown.', max_length=10)),
                ('count', models.PositiveIntegerField(default=0)),
                ('last_at', models.DateTimeField()),
                ('last_reason', models.CharField(max_length=200)),
            ],
            options={
                'ordering': ('-date', 'sender'),
                'constraints': [models.UniqueConstraint(fields=('date', 'sender'), name='one_count_of_refusals_per_day_and_sender')],
            },
        ),
        migrations.CreateModel(
            name='DestroyedFile',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('public_id', models.UUIDField(default=core.public_records.new_public_id, editable=False, unique=True, verbose_name='identifier')),
                ('storage_key', models.CharField(max_length=200)),
                ('sha256', models.CharField(max_length=64, verbose_name='SHA-256')),
                ('destroyed_at', models.DateTimeField(blank=True, null=True)),
                ('kept_because', models.TextField(blank=True, help_text='Why it has not been removed.')),
                ('destruction', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='files', to='enrollments.destruction')),
            ],
            options={
                'ordering': ('destruction', 'storage_key'),
                'constraints': [models.UniqueConstraint(fields=('destruction', 'storage_key'), name='file_destroyed_once_per_destruction')],
            },
        ),
        migrations.CreateModel(
            name='EnrollmentEvent',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('public_id', models.UUIDField(default=core.public_records.new_public_id, editable=False, unique=True, verbose_name='identifier')),
                ('name', models.CharField(max_length=60)),
                ('old_status', models.CharField(blank=True, max_length=12)),
                ('new_status', models.CharField(blank=True, max_length=12)),
                ('actor', models.CharField(max_length=60)),
                ('reason', models.TextField(blank=True)),
                ('at', models.DateTimeField()),
                ('enrollment', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='events', to='enrollments.enrollment')),
            ],
            options={
                'ordering': ('at', 'pk'),
                'indexes': [models.Index(fields=['name', 'at'], name='enrollment_event_kind')],
            },
        ),
        migrations.CreateModel(
            name='Hold',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('public_id', models.UUIDField(default=core.public_records.new_public_id, editable=False, unique=True, verbose_name='identifier')),
                ('updated_at', models.DateTimeField(db_default=core.public_records.DatabaseNow(), editable=False)),
                ('code', models.CharField(choices=[('AUTHORITY_ENDED', 'The authority ended'), ('AUTHORITY_UNCLEAR', 'The authority is unclear'), ('REVOKED_AFTER_ACCEPTANCE', 'Revoked after the acceptance'), ('OUTSIDE_LIMITS', 'No offer within the signed limits'), ('IMPLAUSIBLE_OFFER', 'Implausible offer'), ('OFFERS_EXPIRED', 'Offers had expired on arrival'), ('NO_PROGRESS', 'No progress after repeating a step'), ('TOO_MANY_CALLS', 'Too many calls to Light in a day'), ('OFFER_UNCLEAR', 'Offer is missing required details'), ('NO_PLANS', 'Light offers no plan'), ('NO_LEGAL_START', 'No legal start date'), ('ACCEPTED_DIFFERENTLY', 'Light accepted something else'), ('SELF_ENROLLED', 'Accepted without us'), ('COMPLETE_BUT_NOT_READY', 'Complete but not ready at Light'), ('UNKNOWN_LIGHT_STATUS', 'Unknown status at Light'), ('REFUSED_BY_LIGHT', 'Light refused a call'), ('OUTCOME_UNKNOWN', 'Outcome of a call is unknown'), ('ACCOUNT_UNCLEAR', 'Unclear which Light account is ours'), ('WRONG_DIALECT', 'Light does not recognize a URL we call'), ('REDIRECTED', 'Light redirects a call to another URL'), ('NOT_AUTHORIZED', 'Light rejects our token'), ('CANCEL_REPORTED', 'Light reported a cancellation'), ('CUSTOMER_LEFT', 'Customer is leaving or has left'), ('GO_LIVE_WITHDRAWN', 'Go-live changed after the acceptance'), ('NOT_ACTIVE_IN_TIME', 'Service did not start in time'), ('MAIL_RETURNED', 'E-mail to the customer bounces'), ('REPEATED_FAILURES', 'Our own processing keeps failing')], max_length=30)),
                ('because', models.TextField()),
                ('owner', models.CharField(choices=[('OFFICE', 'Office'), ('CUSTOMER', 'Customer'), ('TECHNICIAN', 'Technician'), ('OPERATIONS', 'Operations')], max_length=12)),
                ('since', models.DateTimeField()),
                ('act_by_date', models.DateField(blank=True, null=True)),
                ('released_at', models.DateTimeField(blank=True, null=True)),
                ('released_by', models.CharField(blank=True, max_length=60)),
                ('release_reason', models.TextField(blank=True)),
                ('enrollment', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='holds', to='enrollments.enrollment')),
            ],
            options={
                'ordering': ('since', 'pk'),
                'constraints': [models.UniqueConstraint(condition=models.Q(('released_at__isnull', True)), fields=('enrollment',), name='one_open_hold_per_enrollment'), models.CheckConstraint(condition=models.Q(models.Q(('released_at__isnull', True), ('released_by', '')), models.Q(('released_at__isnull', False), models.Q(('released_by', ''), _negated=True), models.Q(('release_reason', ''), _negated=True)), _connector='OR'), name='hold_released_by_whom_and_why')],
            },
        ),
        migrations.CreateModel(
            name='LegalHold',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('public_id', models.UUIDField(default=core.public_records.new_public_id, editable=False, unique=True, verbose_name='identifier')),
                ('kind', models.CharField(choices=[('DISPUTE', 'Open dispute'), ('LEGAL_HOLD', 'Legal hold')], max_length=10)),
                ('reason', models.TextField()),
                ('placed_at', models.DateTimeField()),
                ('placed_by', models.CharField(max_length=60)),
                ('lifted_at', models.DateTimeField(blank=True, null=True)),
                ('lifted_by', models.CharField(blank=True, max_length=60)),
                ('lift_reason', models.TextField(blank=True)),
                ('enrollment', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='legal_holds', to='enrollments.enrollment')),
            ],
            options={
                'ordering': ('-placed_at', '-pk'),
                'constraints': [models.UniqueConstraint(condition=models.Q(('lifted_at__isnull', True)), fields=('enrollment',), name='one_open_legal_hold_per_enrollment'), models.CheckConstraint(condition=models.Q(models.Q(('lift_reason', ''), ('lifted_at__isnull', True), ('lifted_by', '')), models.Q(('lifted_at__isnull', False), models.Q(('lifted_by', ''), _negated=True), models.Q(('lift_reason', ''), _negated=True)), _connector='OR'), name='legal_hold_lifted_by_whom_and_why')],
            },
        ),
        migrations.AddIndex(
            model_name='lightwrite',
            index=models.Index(fields=['kind', 'opened_at'], name='write_kind_opened'),
        ),
        migrations.AddConstraint(
            model_name='lightwrite',
            constraint=models.UniqueConstraint(condition=models.Q(('status__in', ['IN_DOUBT', 'OPEN'])), fields=('enrollment',), name='one_unsettled_write_per_enrollment'),
        ),
        migrations.AddConstraint(
            model_name='lightwrite',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('closed_at__isnull', True), ('status__in', ['IN_DOUBT', 'OPEN'])), models.Q(models.Q(('status__in', ['IN_DOUBT', 'OPEN']), _negated=True), ('closed_at__isnull', False)), _connector='OR'), name='write_closed_when_settled'),
        ),
        migrations.AddIndex(
            model_name='plandocument',
            index=models.Index(condition=models.Q(('stored_at__isnull', True)), fields=['due_at'], name='plan_document_due'),
        ),
        migrations.AddConstraint(
            model_name='plandocument',
            constraint=models.UniqueConstraint(fields=('offer', 'kind'), name='one_plan_document_per_offer_and_kind'),
        ),
        migrations.AddConstraint(
            model_name='plandocument',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('sha256', ''), ('size_bytes__isnull', True), ('storage_key', ''), ('stored_at__isnull', True)), models.Q(('size_bytes__isnull', False), ('stored_at__isnull', False), models.Q(('storage_key', ''), _negated=True), models.Q(('sha256', ''), _negated=True)), _connector='OR'), name='plan_document_stored_with_key_hash_and_size'),
        ),
        migrations.AddIndex(
            model_name='enrollment',
            index=models.Index(fields=['updated_at'], name='enrollment_updated'),
        ),
        migrations.AddIndex(
            model_name='enrollment',
            index=models.Index(condition=models.Q(('due_at__isnull', False)), fields=['due_at'], name='enrollment_due'),
        ),
        migrations.AddIndex(
            model_name='enrollment',
            index=models.Index(condition=models.Q(('lease_until__isnull', False)), fields=['lease_until'], name='enrollment_leased'),
        ),
        migrations.AddIndex(
            model_name='enrollment',
            index=models.Index(condition=models.Q(('act_by_date__isnull', False), ('status', 'OPEN')), fields=['act_by_date'], name='enrollment_act_by'),
        ),
        migrations.AddConstraint(
            model_name='enrollment',
            constraint=models.UniqueConstraint(condition=models.Q(('status__in', ['ENDED']), _negated=True), fields=('site',), name='one_open_enrollment_per_esi_id'),
        ),
        migrations.AddConstraint(
            model_name='enrollment',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('status__in', ['ACCEPTED', 'FINALIZED']), _negated=True), models.Q(('accepted_at__isnull', False), ('accepted_offer__isnull', False), ('service_start_date__isnull', False)), _connector='OR'), name='accepted_names_offer_and_start'),
        ),
        migrations.AddConstraint(
            model_name='enrollment',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('attested_at__isnull', True), ('attested_poa__isnull', True)), models.Q(('attested_at__isnull', False), ('attested_poa__isnull', False)), _connector='OR'), name='attested_with_which_poa_and_when'),
        ),
        migrations.AddConstraint(
            model_name='advancenotice',
            constraint=models.CheckConstraint(condition=models.Q(('until__gt', models.F('given_at'))), name='notice_leaves_time_to_object'),
        ),
        migrations.AddConstraint(
            model_name='acceptattempt',
            constraint=models.UniqueConstraint(condition=models.Q(('succeeded__isnull', True)), fields=('enrollment',), name='one_open_acceptance_per_enrollment'),
        ),
        migrations.AddConstraint(
            model_name='acceptattempt',
            constraint=models.UniqueConstraint(condition=models.Q(('succeeded', True), ('succeeded__isnull', True), _connector='OR'), fields=('poa', 'poa_use', 'esi_id'), name='one_acceptance_per_authority_use_and_esi_id'),
        ),
        migrations.AddIndex(
            model_name='remotecall',
            index=models.Index(fields=['at'], name='remote_call_at'),
        ),
        migrations.AddIndex(
            model_name='webhookdelivery',
            index=models.Index(fields=['received_at'], name='delivery_received'),
        ),
        migrations.AddIndex(
            model_name='webhookdelivery',
            index=models.Index(condition=models.Q(('settled_at__isnull', True)), fields=['received_at'], name='delivery_unsettled'),
        ),
        migrations.RunPython(provide_retention_rules, migrations.RunPython.noop),
        keep_updated_at(
            "enrollments_enrollment",
            "enrollments_planoffer",
            "enrollments_plandocument",
            "enrollments_advancenotice",
            "enrollments_hold",
            "enrollments_pause",
        ),
    ]
