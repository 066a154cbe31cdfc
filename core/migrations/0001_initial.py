import core.encryption
import core.public_records
import django.core.validators
import django.db.models.deletion
from django.conf import settings
from django.core.management import call_command
from django.db import migrations, models

from core.append_only import append_only


def make_cache_table(_apps, schema_editor):
    """With Redis the table stays empty; without it, every process counts here."""
    call_command("createcachetable", settings.CACHE_TABLE, database=schema_editor.connection.alias, verbosity=0)


class Migration(migrations.Migration):

    initial = True

    dependencies = [
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='CaseChange',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('site_id', models.PositiveBigIntegerField(db_index=True)),
                ('at', models.DateTimeField()),
            ],
            options={
                'ordering': ('pk',),
            },
        ),
        migrations.CreateModel(
            name='KeptForm',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('key_hash', models.CharField(max_length=64, unique=True)),
                ('text', core.encryption.EncryptedTextField()),
                ('kept_at', models.DateTimeField(db_index=True)),
            ],
            options={
                'ordering': ('pk',),
            },
        ),
        migrations.CreateModel(
            name='LastSweep',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('task', models.CharField(max_length=60, unique=True)),
                ('at', models.DateTimeField()),
            ],
            options={
                'ordering': ('task',),
            },
        ),
        migrations.CreateModel(
            name='WrongClock',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('machine', models.CharField(max_length=255, unique=True)),
                ('problem', models.TextField()),
                ('at', models.DateTimeField()),
            ],
            options={
                'ordering': ('machine',),
            },
        ),
        migrations.CreateModel(
            name='CompanyRules',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('public_id', models.UUIDField(default=core.public_records.new_public_id, editable=False, unique=True, verbose_name='identifier')),
                ('name', models.CharField(help_text='As customers know it.', max_length=120, verbose_name='company name')),
                ('contact', models.CharField(help_text='How customers reach the company, in one line: phone number and e-mail address.', max_length=200)),
                ('broker_number', models.CharField(help_text='The registration with the PUCT, shown to customers: BR and six digits.', max_length=8, validators=[django.core.validators.RegexValidator('\\ABR[0-9]{6}\\Z', 'Type BR and six digits.')], verbose_name='broker registration number')),
                ('link_days', models.PositiveSmallIntegerField(default=30, validators=[django.core.validators.MinValueValidator(1), django.core.validators.MaxValueValidator(365)], verbose_name='days a signing link is valid')),
                ('reminder_first_days', models.PositiveSmallIntegerField(default=3, help_text='After the invitation, while the customer has not signed. 0: no reminders.', validators=[django.core.validators.MinValueValidator(0), django.core.validators.MaxValueValidator(60)], verbose_name='days until the first reminder')),
                ('reminder_every_days', models.PositiveSmallIntegerField(default=7, validators=[django.core.validators.MinValueValidator(1), django.core.validators.MaxValueValidator(60)], verbose_name='days between reminders')),
                ('max_reminders', models.PositiveSmallIntegerField(default=3, validators=[django.core.validators.MinValueValidator(0), django.core.validators.MaxValueValidator(20)], verbose_name='reminders per invitation')),
                ('reminder_from_hour', models.PositiveSmallIntegerField(default=9, help_text='Hour of the day, Chicago time.', validators=[django.core.validators.MinValueValidator(0), django.core.validators.MaxValueValidator(23)], verbose_name='reminders go out from')),
                ('reminder_until_hour', models.PositiveSmallIntegerField(default=19, help_text='Hour of the day, Chicago time.', validators=[django.core.validators.MinValueValidator(1), django.core.validators.MaxValueValidator(24)], verbose_name='reminders go out until')),
                ('advance_notice_days', models.PositiveSmallIntegerField(default=3, help_text='Whole days between the notice to the customer and the acceptance. 0: accept at once.', validators=[django.core.validators.MinValueValidator(0), django.core.validators.MaxValueValidator(14)], verbose_name='days to object to a chosen plan')),
                ('go_live_confirmation', models.CharField(choices=[('WITHOUT_PROOF', 'Reports without proof'), ('ALWAYS', 'Every report'), ('NEVER', 'No report')], default='WITHOUT_PROOF', help_text='Nobody confirms a report of their own. What the office reports without proof waits for a second person.', max_length=13, verbose_name='go-live reports the office confirms')),
                ('solar_sale_can_be_canceled', models.BooleanField(default=True, help_text='The law says so. Keep it on.', verbose_name='solar sales can be canceled for some days')),
                ('battery_sale_can_be_canceled', models.BooleanField(default=False, verbose_name='battery sales can be canceled for some days')),
                ('ev_charger_sale_can_be_canceled', models.BooleanField(default=False, verbose_name='EV charger sales can be canceled for some days')),
                ('call_back_for_first_address', models.BooleanField(default=False, help_text="A second person calls also where the first e-mail address on file was used to sign. Without it, Light's own check of the customer's identity is the second proof.", verbose_name='call every customer back')),
                ('company_mail_domains', models.CharField(blank=True, help_text='Comma-separated. A customer with an address there is called back before anything is opened at Light. Empty: the domain that our mails come from.', max_length=300, validators=[django.core.validators.RegexValidator('\\A[a-z0-9.-]+(, ?[a-z0-9.-]+)*\\Z', 'Type domains, separated by commas.')], verbose_name="the company's mail domains")),
                ('effective_from', models.DateTimeField(db_index=True, verbose_name='in effect from')),
                ('decided_by', models.CharField(max_length=60)),
                ('decided_at', models.DateTimeField()),
                ('reason', models.TextField(verbose_name='why')),
            ],
            options={
                'verbose_name': 'company rules',
                'verbose_name_plural': 'company rules',
                'ordering': ('-effective_from', '-pk'),
                'constraints': [models.CheckConstraint(condition=models.Q(('effective_from__gte', models.F('decided_at'))), name='company_rules_never_for_the_past'), models.CheckConstraint(condition=models.Q(('reminder_until_hour__gt', models.F('reminder_from_hour'))), name='company_rules_reminder_hours', violation_error_message='Reminders must stop later in the day than they begin.')],
            },
        ),
        migrations.CreateModel(
            name='IdempotentRequest',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('key', models.CharField(max_length=100)),
                ('method', models.CharField(max_length=8)),
                ('path', models.CharField(max_length=300)),
                ('request_sha256', models.CharField(max_length=64)),
                ('response_status', models.PositiveSmallIntegerField()),
                ('response_body', models.JSONField(null=True)),
                ('at', models.DateTimeField()),
                ('user', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='+', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'ordering': ('pk',),
                'constraints': [models.UniqueConstraint(fields=('user', 'key'), name='key_used_once_per_user')],
            },
        ),
        migrations.CreateModel(
            name='OfficeAddress',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('ip_address', models.GenericIPAddressField()),
                ('seen_at', models.DateTimeField(db_index=True)),
                ('user', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='+', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'ordering': ('pk',),
                'constraints': [models.UniqueConstraint(fields=('user', 'ip_address'), name='address_once_per_user')],
            },
        ),
        migrations.RunPython(make_cache_table, migrations.RunPython.noop),
        append_only("core_companyrules", because="The rules of the company are final. Decide new ones."),
    ]
