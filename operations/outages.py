"""What people and systems are told when something behind the pages does not answer."""

import sys
from http import HTTPStatus

from django.contrib.sessions.exceptions import SessionInterrupted
from django.db import InterfaceError, OperationalError, connection
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views import defaults

from core.transactions import is_read_only

SECONDS_TO_TRY_AGAIN = 30

_PAGE = """\
<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>Please try again in a minute</title></head>
<body><main>
<h1>Please try again in a minute</h1>
<p>Our records cannot be reached right now. What you sent just now may not have been stored: please go back and send it
again in a minute. Sending it twice does no harm.</p>
<h1 lang="es">Inténtelo de nuevo en un minuto</h1>
<p lang="es">En este momento no podemos consultar nuestros registros. Es posible que lo que acaba de enviar no se haya
guardado: vuelva atrás y envíelo de nuevo en un minuto. Enviarlo dos veces no causa ningún problema.</p>
</main></body>
</html>
"""


def is_outage(problem: BaseException | None) -> bool:
    """Whether the database could not be reached, or refuses to write; not what a statement of ours did wrong."""
    return isinstance(problem, OperationalError | InterfaceError) or (problem is not None and is_read_only(problem))


def server_error(request: HttpRequest) -> HttpResponse:
    """
    Answer a request that ended in an exception: 503 when the database did not answer or writes nothing, 500 otherwise.

    Django calls this while the exception is being handled. A 503 makes senders of webhooks and the technician's form
    try again.
    """
    problem = sys.exc_info()[1]
    return _try_again_later(request, problem) if is_outage(problem) else defaults.server_error(request)


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """
    Answer a request that Django refuses; 503 when it only could not keep the session in a database that writes nothing.

    Django takes a session that cannot be written for one that was deleted.
    """
    if isinstance(exception, SessionInterrupted):
        refused_by = exception.__context__.__context__ if exception.__context__ else None
        if is_outage(refused_by):
            return _try_again_later(request, refused_by)
    return defaults.bad_request(request, exception)


def _try_again_later(request: HttpRequest, problem: BaseException | None) -> HttpResponse:
    if problem is not None and is_read_only(problem):
        connection.close()  # after a failover the address may belong to another server
    if request.path_info.startswith("/api/"):
        answer: HttpResponse = JsonResponse({"detail": "The database does not answer. Please repeat the call later."})
    else:
        answer = HttpResponse(_PAGE)
    answer.status_code = HTTPStatus.SERVICE_UNAVAILABLE
    answer.headers["Retry-After"] = str(SECONDS_TO_TRY_AGAIN)
    return answer
