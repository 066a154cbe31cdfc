"""Error responses while the database is unavailable or read-only."""

import sys
from http import HTTPStatus

from django.contrib.sessions.exceptions import SessionInterrupted
from django.db import InterfaceError, OperationalError, connection
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views import defaults

from core.transactions import is_read_only

RETRY_AFTER_SECONDS = 30

_PAGE = """\
<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>Please try again in a minute</title></head>
<body><main>
<h1>Please try again in a minute</h1>
<p>Our database is not available right now. What you just sent may not have been saved. Please go back and send it again
in a minute. Sending it twice does no harm.</p>
<h1 lang="es">Inténtelo de nuevo en un minuto</h1>
<p lang="es">Nuestra base de datos no está disponible en este momento. Es posible que lo que acaba de enviar no se haya
guardado: vuelva atrás y envíelo de nuevo en un minuto. Enviarlo dos veces no causa ningún problema.</p>
</main></body>
</html>
"""


def is_outage(problem: BaseException | None) -> bool:
    """Whether the database is unavailable or read-only, as opposed to an error in our SQL."""
    return isinstance(problem, OperationalError | InterfaceError) or (problem is not None and is_read_only(problem))


def server_error(request: HttpRequest) -> HttpResponse:
    """
    Return 503 if the database is unavailable or read-only, otherwise 500.

    Django calls this while the exception is being handled. A 503 makes webhook senders and the technician's form retry.
    """
    problem = sys.exc_info()[1]
    return _try_again_later(request, problem) if is_outage(problem) else defaults.server_error(request)


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """
    Return 400, or 503 if the session could not be saved in a read-only database.

    Django mistakes a session that cannot be saved for one that was deleted.
    """
    if isinstance(exception, SessionInterrupted):
        refused_by = exception.__context__.__context__ if exception.__context__ else None
        if is_outage(refused_by):
            return _try_again_later(request, refused_by)
    return defaults.bad_request(request, exception)


def _try_again_later(request: HttpRequest, problem: BaseException | None) -> HttpResponse:
    if problem is not None and is_read_only(problem):
        connection.close()  # after a failover, the host name may point to another server
    if request.path_info.startswith("/api/"):
        answer: HttpResponse = JsonResponse({"detail": "The database is unavailable. Repeat the call later."})
    else:
        answer = HttpResponse(_PAGE)
    answer.status_code = HTTPStatus.SERVICE_UNAVAILABLE
    answer.headers["Retry-After"] = str(RETRY_AFTER_SECONDS)
    return answer
