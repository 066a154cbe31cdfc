"""`manage.py up`: web, worker and scheduler in one process."""

import sys
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from celery import current_app
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.core.servers.basehttp import get_internal_wsgi_application
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

from accounts.models import User
from core import clock
from core.loopback import is_loopback
from enrollments.engine.leases import take_over
from operations.key_checks import check_keys_at_start
from operations.one_process import AddressNotAvailable, OneProcess, PartStopped, PortInUse, exit_with_unfinished_work

# What a new database needs before the first customer, in this order.
SETUP_COMMANDS = ("load_poa_wording",)

DEFAULT_PORT = 8000


class Command(BaseCommand):
    help = "Run web, worker and scheduler in this one process, until Ctrl-C."
    requires_migrations_checks = False

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
        parser.add_argument(
            "--port", type=int, default=None, help="port to listen on (default: the one of SITE_URL; 0: any free one)"
        )
        parser.add_argument("--setup", action="store_true", help="first migrate the database and load required data")

    def handle(self, *_args: object, **options: Any) -> None:
        if options["setup"]:
            self._set_up()
        self._check_migrations()
        self._check_field_keys()
        port = _port_of_site_url() if options["port"] is None else options["port"]
        if not 0 <= port <= 65_535:
            raise CommandError(f"{port} is not a port. Ports are whole numbers from 0 to 65535.")
        try:
            server = OneProcess(
                app=current_app, application=get_internal_wsgi_application(), host=options["host"], port=port
            )
        except PortInUse as problem:
            raise CommandError(f"{problem} Stop that process, or choose another port with --port.") from None
        except AddressNotAvailable as problem:
            raise CommandError(str(problem)) from None
        try:
            take_over(at=clock.now())
            finished = server.run(on_ready=lambda: self._print_ready(options["host"], server.port))
        except PartStopped as problem:
            raise CommandError(str(problem)) from None
        if not finished:
            self.stdout.write("Switchyard stopped. Unfinished work continues after the next start.")
            self.stdout.flush()
            exit_with_unfinished_work()
        self.stdout.write("Switchyard stopped.")

    def _set_up(self) -> None:
        call_command("migrate", interactive=False, verbosity=0)
        for name in SETUP_COMMANDS:
            call_command(name)

    def _check_migrations(self) -> None:
        executor = MigrationExecutor(connection)
        if executor.migration_plan(executor.loader.graph.leaf_nodes()):
            raise CommandError("The database is not up to date. Start with --setup, or run manage.py migrate first.")
        connection.close()

    def _check_field_keys(self) -> None:
        try:
            check_keys_at_start()
        except ImproperlyConfigured as problem:
            raise CommandError(str(problem)) from None

    def _print_ready(self, host: str, port: int) -> None:
        start = f"http://{f'[{host}]' if ':' in host else host}:{port}"
        self.stdout.write(f"Switchyard is ready: {start}/ (office {start}/admin/, technicians {start}/field/)")
        if urlsplit(settings.SITE_URL).netloc != urlsplit(start).netloc:
            self.stdout.write(f"Links in e-mails begin with {settings.SITE_URL}; set SITE_URL to change that.")
        if not User.objects.filter(is_active=True, is_staff=True).exists():
            self.stdout.write(
                "No one can sign in yet. Create the first account in another terminal, with the same environment: "
                f"{_python()} manage.py createsuperuser"
            )
        connection.close()
        self.stdout.flush()


def _python() -> str:
    """Return the interpreter's path as typed in the project's folder."""
    running = Path(sys.executable)
    return str(running.relative_to(Path.cwd())) if running.is_relative_to(Path.cwd()) else str(running)


def _port_of_site_url() -> int:
    parts = urlsplit(settings.SITE_URL)
    return parts.port or DEFAULT_PORT if is_loopback(parts.hostname or "") else DEFAULT_PORT
