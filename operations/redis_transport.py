"""
The queue in Redis, with two more things taken for what they are.

A server that is full, or read-only after a failover, accepts connections and answers each write with an error. That is
a queue that is away: workers and schedulers wait and connect again, as when nothing answers. And a message that cannot
be read must not end the worker that took it: it is dropped, since the row that it was about says what is due.
"""

import logging
from queue import Empty
from typing import Any

from kombu.transport import redis as kombu_redis
from redis.exceptions import ResponseError

logger = logging.getLogger(__name__)

PROBE_KEY = "takes-messages"
PROBE_SECONDS = 60
OF_THE_QUEUE: tuple[type[Exception], ...] = (
    Empty,
    *kombu_redis.Transport.connection_errors,
    *kombu_redis.Transport.channel_errors,
)
"""What says something about the queue, and nothing about a message."""


class CarefulChannel(kombu_redis.Channel):
    def _brpop_read(self, **options: Any) -> Any:
        try:
            return super()._brpop_read(**options)  # type: ignore[misc]  # the stubs know nothing of it
        except OF_THE_QUEUE:
            raise
        except Exception:
            logger.exception("A message that cannot be read was dropped; the sweep finds the work that is due.")
            return True

    def _put(self, queue: str, message: Any, **options: Any) -> None:
        try:
            super()._put(queue, message, **options)
        except ResponseError:
            # The next message looks for the server again: after a failover it may be another one.
            self.pool.disconnect()
            raise


class CarefulTransport(kombu_redis.Transport):
    Channel = CarefulChannel

    def establish_connection(self) -> Any:
        """
        Connect, and insist that the server takes what is written to it.

        :raises ResponseError: it is full or read-only; connecting is tried again as for a server that does not answer
        """
        established = super().establish_connection()
        channel = self._avail_channels[-1]  # type: ignore[attr-defined]  # nor of this
        try:
            channel.client.set(PROBE_KEY, "", ex=PROBE_SECONDS)
        except Exception:
            self._avail_channels.remove(channel)  # type: ignore[attr-defined]
            channel.close()
            raise
        return established
