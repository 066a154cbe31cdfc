"""The Celery application: one queue of nudges, and the sweeps that make every nudge dispensable."""

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

from operations import task_log  # noqa: F401 - connects what tells of tasks
from operations.redis_transport import ResilientTransport
from poa_documents.seal.warming import warm_up

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings.local")

PAUSES_BEFORE_CONNECTING = {"interval_start": 1, "interval_step": 1, "interval_max": 3}
"""In seconds; kombu adds the first to the longest, so they are 1, 2, 3, 4, 4 and so on."""
LONGEST_SENDING_SECONDS = 1.0


class EagerConnection(Connection):
    """
    Looks for a queue that went away every few seconds.

    Left alone, workers and schedulers would wait up to half a minute more each time: longer than everything may stand
    still once the queue is back.
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
        Connect for sending, which never waits long: a page may be waiting with us, and the sweep repeats every message.

        Workers wait for answers as long as the settings say: one that lost patience would break off what it is doing.
        """
        if self.conf.broker_url.startswith("redis"):
            options.setdefault("transport_options", {"socket_timeout": LONGEST_SENDING_SECONDS})
        connection: Connection = super().connection_for_write(*arguments, **options)
        return connection


app = Application("switchyard", amqp=EagerlyConnected)
app.config_from_object("django.conf:settings", namespace="CELERY")


@setup_logging.connect
def keep_our_logging(**_options: object) -> None:
    """Leave logging as the settings have it: being connected is what keeps Celery from setting up its own."""


@task_prerun.connect
@task_postrun.connect
def look_at_connections(sender: "Task[..., Any]", **_signal: object) -> None:
    """Keep connections to the database from task to task, but none that broke or grew old."""
    if not sender.request.is_eager:
        close_old_connections()


@worker_init.connect
def look_at_field_keys(**_signal: object) -> None:
    """Let no worker start that could not read what it works on."""
    from operations.field_keys import check_keys_at_start  # the models are not there yet when this module is read

    try:
        check_keys_at_start()
    except ImproperlyConfigured as problem:
        raise SystemExit(str(problem)) from problem  # Celery only logs what else a receiver raises


@worker_init.connect
def warm_up_before_forking(**_signal: object) -> None:
    """Import what seals once, for all children of the worker."""
    warm_up()


@beat_init.connect
def start_queue_fallback(sender: object, **_signal: object) -> None:
    """Let the scheduler's process do due work itself while the queue is unavailable."""
    from operations.queue_fallback import start_with_scheduler  # needs models, which are not loaded yet above

    start_with_scheduler(sender)
