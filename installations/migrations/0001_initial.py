import core.encryption
import core.public_records
import django.db.models.deletion
import phonenumber_field.modelfields
from django.conf import settings
from django.db import migrations, models

from core.update_times import keep_updated_at


class Migration(migrations.Migration):

    initial = True

    dependencies = [
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='Customer',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('public_id', models.UUIDField(default=core.public_records.new_public_id, editable=False, unique=True, verbose_name='identifier')),
                ('updated_at', models.DateTimeField(db_default=core.public_records.DatabaseNow(), editable=False)),
                ('first_name', models.CharField(max_length=100)),
                ('last_name', models.CharField(max_length=100)),
                ('email', models.EmailField(help_text='Invitations and copies go here.', max_length=254)),
                ('phone', phonenumber_field.modelfields.PhoneNumberField(blank=True, max_length=128, region='US')),
                ('date_of_birth_text', core.encryption.EncryptedTextField(blank=True, default='', help_text='YYYY-MM-DD; encrypted in the database.', verbose_name='date of birth')),
                ('language', models.CharField(choices=[('en', 'English'), ('es', 'Spanish')], default='en', max_length=2)),
                ('contact_verified_at', models.DateTimeField(blank=True, null=True)),
                ('registered_by', models.CharField(blank=True, help_text='Who put the customer and the first address on file.', max_length=60)),
                ('created_at', models.DateTimeField()),
            ],
            options={
                'ordering': ('last_name', 'first_name', 'pk'),
                'indexes': [models.Index(fields=['updated_at'], name='customer_updated')],
            },
        ),
        migrations.CreateModel(
            name='ContactChange',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('public_id', models.UUIDField(default=core.public_records.new_public_id, editable=False, unique=True, verbose_name='identifier')),
                ('old_email', models.EmailField(max_length=254)),
                ('new_email', models.EmailField(max_length=254)),
                ('old_phone', models.CharField(blank=True, max_length=128)),
                ('new_phone', models.CharField(blank=True, max_length=128)),
                ('changed_at', models.DateTimeField()),
                ('changed_by', models.CharField(max_length=60)),
                ('proof', models.CharField(blank=True, choices=[('EARLIER_ADDRESS_CODE', 'Code mailed to the earlier address'), ('CALL_BACK', 'Call-back by a second person')], max_length=20)),
                ('proved_at', models.DateTimeField(blank=True, null=True)),
                ('proved_by', models.CharField(blank=True, max_length=60)),
                ('settled_at', models.DateTimeField(blank=True, db_index=True, help_text='When the old address was notified and its links stopped working.', null=True)),
                ('customer', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='contact_changes', to='installations.customer')),
            ],
            options={
                'ordering': ('changed_at', 'pk'),
            },
        ),
        migrations.CreateModel(
            name='Installation',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('public_id', models.UUIDField(default=core.public_records.new_public_id, editable=False, unique=True, verbose_name='identifier')),
                ('updated_at', models.DateTimeField(db_default=core.public_records.DatabaseNow(), editable=False)),
                ('kind', models.CharField(choices=[('SOLAR', 'Solar'), ('BATTERY', 'Battery'), ('EV_CHARGER', 'EV charger')], max_length=12)),
                ('size_kw', models.DecimalField(blank=True, decimal_places=3, max_digits=8, null=True, verbose_name='size, kW AC')),
                ('contract_signed_date', models.DateField()),
                ('embargo_end_date', models.DateField(blank=True, help_text='Last day on which the buyer may cancel the sale. Nothing is sent to Light until it is over.', null=True)),
                ('scheduled_date', models.DateField(blank=True, null=True)),
                ('status', models.CharField(choices=[('SOLD', 'Sold'), ('SCHEDULED', 'Scheduled'), ('INSTALLED', 'Installed'), ('INSPECTED', 'Inspected'), ('INTERCONNECTION_SUBMITTED', 'Interconnection submitted'), ('PTO_REPORTED', 'Go-live reported'), ('PTO_CONFIRMED', 'Go-live confirmed'), ('CANCELLED', 'Canceled')], default='SOLD', editable=False, max_length=30)),
                ('created_at', models.DateTimeField()),
                ('customer', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='installations', to='installations.customer')),
                ('technician', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='installations', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'ordering': ('scheduled_date', 'pk'),
            },
        ),
        migrations.CreateModel(
            name='GoLiveReport',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('public_id', models.UUIDField(default=core.public_records.new_public_id, editable=False, unique=True, verbose_name='identifier')),
                ('updated_at', models.DateTimeField(db_default=core.public_records.DatabaseNow(), editable=False)),
                ('submission_id', models.UUIDField(help_text='Created by the form, so that a form sent twice counts once.', unique=True)),
                ('granted_date', models.DateField()),
                ('source', models.CharField(choices=[('LETTER', 'Letter from the utility'), ('PORTAL', "Utility's web portal"), ('E_MAIL', 'E-mail from the utility'), ('CALL', 'Phone call'), ('ON_SITE', 'Commissioned on site')], max_length=10)),
                ('utility_reference', models.CharField(blank=True, max_length=60)),
                ('note', models.TextField(blank=True)),
                ('status', models.CharField(choices=[('AWAITING_OFFICE', 'Waiting for the office'), ('COUNTED', 'Counts'), ('AGREEING', 'Agrees with another report'), ('CONFLICTING', 'Conflicts with another report'), ('CORRECTED', 'Corrected by a later report'), ('WITHDRAWN', 'Withdrawn')], editable=False, max_length=20)),
                ('reported_by', models.CharField(max_length=60)),
                ('device_at', models.DateTimeField(blank=True, help_text="Time of the report by the device's own clock.", null=True)),
                ('received_at', models.DateTimeField()),
                ('confirmed_by', models.CharField(blank=True, max_length=60)),
                ('confirmed_at', models.DateTimeField(blank=True, null=True)),
                ('closing_reason', models.TextField(blank=True, help_text='Why it was corrected or withdrawn.')),
                ('compared_with', models.ForeignKey(blank=True, help_text='The current report that this one agrees or conflicts with.', null=True, on_delete=django.db.models.deletion.PROTECT, related_name='others', to='installations.golivereport')),
                ('corrects', models.OneToOneField(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='corrected_by', to='installations.golivereport')),
                ('installation', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='reports', to='installations.installation')),
            ],
            options={
                'verbose_name': 'go-live report',
                'ordering': ('-received_at', '-pk'),
            },
        ),
        migrations.CreateModel(
            name='InstallationEvent',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('public_id', models.UUIDField(default=core.public_records.new_public_id, editable=False, unique=True, verbose_name='identifier')),
                ('name', models.CharField(max_length=60)),
                ('old_status', models.CharField(blank=True, max_length=30)),
                ('new_status', models.CharField(blank=True, max_length=30)),
                ('actor', models.CharField(max_length=60)),
                ('reason', models.TextField(blank=True)),
                ('at', models.DateTimeField()),
                ('installation', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='events', to='installations.installation')),
            ],
            options={
                'ordering': ('at', 'pk'),
            },
        ),
        migrations.CreateModel(
            name='KeptProof',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('public_id', models.UUIDField(default=core.public_records.new_public_id, editable=False, unique=True, verbose_name='identifier')),
                ('storage_key', models.CharField(blank=True, max_length=200)),
                ('sha256', models.CharField(max_length=64, verbose_name='SHA-256')),
                ('received_sha256', models.CharField(help_text='Hash of the file as sent, before metadata was removed.', max_length=64, verbose_name='SHA-256 of the original')),
                ('size_bytes', models.PositiveIntegerField()),
                ('content_type', models.CharField(max_length=40)),
                ('original_name', models.CharField(max_length=200)),
                ('unstored_content', models.BinaryField(blank=True, null=True)),
                ('received_storage_key', models.CharField(blank=True, default='', max_length=200)),
                ('received_size_bytes', models.PositiveIntegerField(blank=True, null=True, verbose_name='size of the original')),
                ('unstored_received', models.BinaryField(blank=True, null=True)),
                ('submission_id', models.UUIDField()),
                ('kept_by', models.CharField(max_length=60)),
                ('kept_at', models.DateTimeField()),
                ('installation', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='kept_proofs', to='installations.installation')),
            ],
            options={
                'ordering': ('pk',),
            },
        ),
        migrations.CreateModel(
            name='ProofFile',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('public_id', models.UUIDField(default=core.public_records.new_public_id, editable=False, unique=True, verbose_name='identifier')),
                ('updated_at', models.DateTimeField(db_default=core.public_records.DatabaseNow(), editable=False)),
                ('storage_key', models.CharField(blank=True, max_length=200)),
                ('sha256', models.CharField(max_length=64, verbose_name='SHA-256')),
                ('received_sha256', models.CharField(help_text='Hash of the file as sent, before metadata was removed.', max_length=64, verbose_name='SHA-256 of the original')),
                ('size_bytes', models.PositiveIntegerField()),
                ('content_type', models.CharField(max_length=40)),
                ('original_name', models.CharField(max_length=200)),
                ('unstored_content', models.BinaryField(blank=True, null=True)),
                ('received_storage_key', models.CharField(blank=True, default='', max_length=200)),
                ('received_size_bytes', models.PositiveIntegerField(blank=True, null=True, verbose_name='size of the original')),
                ('unstored_received', models.BinaryField(blank=True, null=True)),
                ('report', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='proofs', to='installations.golivereport')),
            ],
            options={
                'ordering': ('pk',),
            },
        ),
        migrations.CreateModel(
            name='Site',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('public_id', models.UUIDField(default=core.public_records.new_public_id, editable=False, unique=True, verbose_name='identifier')),
                ('updated_at', models.DateTimeField(db_default=core.public_records.DatabaseNow(), editable=False)),
                ('address_1', models.CharField(max_length=200, verbose_name='street address')),
                ('address_2', models.CharField(blank=True, max_length=100, verbose_name='apartment or suite')),
                ('city', models.CharField(max_length=100)),
                ('state', models.CharField(default='TX', max_length=2)),
                ('postal_code', models.CharField(max_length=10, verbose_name='ZIP code')),
                ('esi_id', models.CharField(help_text='Digits as text, never a number.', max_length=22, unique=True, verbose_name='ESI ID')),
                ('tdu_code', models.CharField(blank=True, help_text='Derived from the ESI ID.', max_length=30, verbose_name='wires company')),
                ('created_at', models.DateTimeField()),
            ],
            options={
                'ordering': ('city', 'address_1', 'pk'),
                'indexes': [models.Index(fields=['updated_at'], name='site_updated')],
            },
        ),
        migrations.AddField(
            model_name='installation',
            name='site',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='installations', to='installations.site'),
        ),
        migrations.AddIndex(
            model_name='golivereport',
            index=models.Index(fields=['updated_at'], name='go_live_report_updated'),
        ),
        migrations.AddConstraint(
            model_name='golivereport',
            constraint=models.UniqueConstraint(condition=models.Q(('status__in', ['AWAITING_OFFICE', 'COUNTED'])), fields=('installation',), name='one_current_report_per_installation'),
        ),
        migrations.AddConstraint(
            model_name='golivereport',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('confirmed_at__isnull', True), ('confirmed_by', '')), models.Q(('confirmed_at__isnull', False), models.Q(('confirmed_by', ''), _negated=True)), _connector='OR'), name='report_confirmed_by_whom_and_when'),
        ),
        migrations.AddIndex(
            model_name='keptproof',
            index=models.Index(condition=models.Q(('unstored_content__isnull', False)), fields=['id'], name='kept_proof_not_stored_yet'),
        ),
        migrations.AddConstraint(
            model_name='keptproof',
            constraint=models.UniqueConstraint(fields=('submission_id', 'kept_by', 'received_sha256'), name='same_proof_kept_once_per_submission'),
        ),
        migrations.AddIndex(
            model_name='prooffile',
            index=models.Index(condition=models.Q(('unstored_content__isnull', False)), fields=['id'], name='proof_not_stored_yet'),
        ),
        migrations.AddConstraint(
            model_name='prooffile',
            constraint=models.UniqueConstraint(fields=('report', 'received_sha256'), name='same_proof_once_per_report'),
        ),
        migrations.AddIndex(
            model_name='installation',
            index=models.Index(fields=['updated_at'], name='installation_updated'),
        ),
        keep_updated_at(
            "installations_customer",
            "installations_site",
            "installations_installation",
            "installations_golivereport",
            "installations_prooffile",
        ),
    ]
