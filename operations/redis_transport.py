"""
A Redis transport for Celery that survives two more failures.

A server that is full, or read-only after a failover, accepts connections but rejects writes. Workers and schedulers
treat it as an unavailable queue and reconnect. A message that cannot be read is dropped instead of crashing the worker.
The sweep finds the work in the database.
"""

import logging
from queue import Empty
from typing import Any

from kombu.transport import redis as kombu_redis
from redis.exceptions import ResponseError

logger = logging.getLogger(__name__)

PROBE_KEY = "takes-messages"
PROBE_SECONDS = 60
QUEUE_ERRORS: tuple[type[Exception], ...] = (
    Empty,
    *kombu_redis.Transport.connection_errors,
    *kombu_redis.Transport.channel_errors,
)
"""Errors of the queue, as opposed to errors of a message."""


class ResilientChannel(kombu_redis.Channel):
    def _brpop_read(self, **options: Any) -> Any:
        try:
            return super()._brpop_read(**options)  # type: ignore[misc]  # not in the stubs
        except QUEUE_ERRORS:
            raise
        except Exception:
            logger.exception("Dropped a message that cannot be read. The sweep finds the work that is due.")
            return True

    def _put(self, queue: str, message: Any, **options: Any) -> None:
        try:
            super()._put(queue, message, **options)
        except ResponseError:
            # Reconnect for the next message. After a failover, the server may be a different one.
            self.pool.disconnect()
            raise


class ResilientTransport(kombu_redis.Transport):
    Channel = ResilientChannel

    def establish_connection(self) -> Any:
        """
        Connect and check that the server accepts writes.

        :raises ResponseError: it is full or read-only; Celery retries, as for a server that does not answer
        """
        established = super().establish_connection()
        channel = self._avail_channels[-1]  # type: ignore[attr-defined]  # not in the stubs
        try:
            channel.client.set(PROBE_KEY, "", ex=PROBE_SECONDS)
        except Exception:
            self._avail_channels.remove(channel)  # type: ignore[attr-defined]
            channel.close()
            raise
        return established
