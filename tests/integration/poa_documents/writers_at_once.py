"""
Run by a test in its own process on its own database: several threads write to one POA simultaneously.

Prints the result as JSON: how often it was signed and sealed, how many entries there are, whether the chain is valid.
"""

import json
import threading
from collections.abc import Callable

import django

django.setup()

from django.core.management import call_command  # noqa: E402 - Django's set-up comes before its models
from django.db import connection, transaction  # noqa: E402

from core.actors import Actor  # noqa: E402
from poa_documents import actions  # noqa: E402
from poa_documents.document_text import text_of  # noqa: E402
from poa_documents.journal import chain  # noqa: E402
from poa_documents.models import PoaDocument  # noqa: E402
from tests.factories.poa_documents import SIGNED_AT, STAFF, agree_to_everything, sent_poa  # noqa: E402

THREADS = 6
NOTES_EACH = 8


def at_once(*works: Callable[[], object]) -> list[BaseException]:
    problems: list[BaseException] = []
    barrier = threading.Barrier(len(works))

    def run(work: Callable[[], object]) -> None:
        barrier.wait()
        try:
            work()
        except Exception as problem:  # noqa: BLE001 - whatever went wrong is what the test asks about
            problems.append(problem)
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=(work,)) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return problems


def main() -> None:
    call_command("migrate", verbosity=0)
    poa = sent_poa()
    agree_to_everything(poa)
    sha256 = text_of(poa).sha256

    def sign_and_seal() -> None:
        actions.sign_poa(
            poa_id=poa.pk,
            signature_kind="TYPED",
            signature_text="Carmen Reyes",
            document_sha256=sha256,
            by=Actor.customer(poa.customer.public_id),
            at=SIGNED_AT,
        )
        actions.seal_poa(poa_id=poa.pk, at=SIGNED_AT)

    def take_notes() -> None:
        for number in range(NOTES_EACH):
            with transaction.atomic():
                chain.record(poa, kind="note", by=STAFF, at=SIGNED_AT, details={"number": number})

    def send_again() -> None:
        actions.send_poa(poa_id=poa.pk, by=STAFF, at=SIGNED_AT)

    problems = at_once(*[sign_and_seal] * THREADS, *[take_notes] * THREADS, *[send_again] * 2)
    journal = chain.verify(poa)
    kinds = list(poa.evidence.values_list("kind", flat=True))
    left = {
        "problems": [f"{type(problem).__name__}: {problem}" for problem in problems],
        "status": PoaDocument.objects.get(pk=poa.pk).status,
        "signed": kinds.count("sign"),
        "sealed": kinds.count("seal"),
        "notes": kinds.count("note"),
        "is_intact": journal.is_intact,
        "copies_owed": poa.mails.filter(kind="SIGNED_COPY").count(),
    }
    print(json.dumps(left))  # noqa: T201 - the test reads it


main()
