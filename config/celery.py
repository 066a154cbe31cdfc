"""The Celery application. Messages are hints; the sweeps find whatever a lost message was about."""

import os
from typing import Any, Self

from celery import Celery, Task
from celery.app.amqp import AMQP
from celery.signals import beat_init, setup_logging, task_postrun, task_prerun, worker_init
from django.core.exceptions import ImproperlyConfigured
from django.db import close_old_connections
from kombu import Connection
from kombu.transport import redis as kombu_redis
from kombu.transport.base import Transport

from operations import task_log  # noqa: F401 - connects its signal handlers
from operations.redis_transport import ResilientTransport
from poa_documents.seal.warming import warm_up

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings.local")

PAUSES_BEFORE_CONNECTING = {"interval_start": 1, "interval_step": 1, "interval_max": 3}
"""In seconds. Kombu adds the first to the longest, so the pauses are 1, 2, 3, 4, 4 and so on."""
MAX_SENDING_SECONDS = 1.0


class EagerConnection(Connection):
    """
    Reconnects to a lost queue every few seconds.

    By default the pause between attempts grows to half a minute, so work would wait that long once the queue is back.
    """

    def get_transport_cls(self) -> type[Transport]:
        usual: type[Transport] = super().get_transport_cls()
        return ResilientTransport if issubclass(usual, kombu_redis.Transport) else usual

    def ensure_connection(self, *arguments: Any, **options: Any) -> Self:
        return super().ensure_connection(*arguments, **(PAUSES_BEFORE_CONNECTING | options))


class EagerlyConnected(AMQP):
    Connection = EagerConnection


class Application(Celery):
    def connection_for_write(self, *arguments: Any, **options: Any) -> Connection:
        """
        Connect for sending, with a short timeout: a page may be waiting, and the sweep replaces every lost message.

        Workers use the timeout of the settings: a shorter one would abort what they are doing.
        """
        if self.conf.broker_url.startswith("redis"):
            options.setdefault("transport_options", {"socket_timeout": MAX_SENDING_SECONDS})
        connection: Connection = super().connection_for_write(*arguments, **options)
        return connection


app = Application("switchyard", amqp=EagerlyConnected)
app.config_from_object("django.conf:settings", namespace="CELERY")


@setup_logging.connect
def keep_our_logging(**_options: object) -> None:
    """Keep the logging of the settings: while a receiver is connected, Celery does not set up its own."""


@task_prerun.connect
@task_postrun.connect
def close_unusable_connections(sender: "Task[..., Any]", **_signal: object) -> None:
    """Keep database connections from task to task, except those that broke or are too old."""
    if not sender.request.is_eager:
        close_old_connections()


@worker_init.connect
def check_field_keys(**_signal: object) -> None:
    """Stop a worker that could not decrypt the fields it works on."""
    from operations.key_checks import check_keys_at_start  # models are not loaded yet when this module is imported

    try:
        check_keys_at_start()
    except ImproperlyConfigured as problem:
        raise SystemExit(str(problem)) from problem  # Celery only logs any other exception of a receiver


@worker_init.connect
def warm_up_before_forking(**_signal: object) -> None:
    """Import the sealing libraries once, before the worker forks."""
    warm_up()


@beat_init.connect
def start_queue_fallback(sender: object, **_signal: object) -> None:
    """Let the scheduler's process do due work itself while the queue is unavailable."""
    from operations.queue_fallback import start_with_scheduler  # needs models, which are not loaded yet above

    start_with_scheduler(sender)
