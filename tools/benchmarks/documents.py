"""
Documents per second: rendered, sealed and stored by Switchyard, and by the bare libraries doing the same.

Both write to a folder on this machine, in turns, so that a busy machine slows both equally.
"""

import atexit
import hashlib
import io
import shutil
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest import mock

HOW_MANY = 60
ROUNDS = 6


def measure(how_many: int = HOW_MANY) -> dict[str, Any]:
    """Return documents per second of both, and Switchyard's ratio to the bare libraries."""
    import typst
    from django.conf import settings
    from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
    from pyhanko.sign import fields, signers

    from core.stored_files import store
    from poa_documents.pdf import render_pdf
    from poa_documents.seal.keys import current_key
    from poa_documents.seal.pades import seal
    from poa_documents.seal.values import Words
    from tests.unit.poa_documents.test_signed_file import DOCUMENT

    key = current_key(settings.POA_SEAL_KEY_FILE, settings.POA_SEAL_PASSPHRASE)
    stock_signer = signers.SimpleSigner.load_pkcs12(settings.POA_SEAL_KEY_FILE)
    words = Words("Seal", "Sealed", "Switchyard")
    with mock.patch("typst.compile", wraps=typst.compile) as compiled:
        render_pdf(DOCUMENT)
    template, options = compiled.call_args.args[0], compiled.call_args.kwargs
    folder = Path(tempfile.mkdtemp(prefix="switchyard-bench-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)

    def ours(number: int) -> None:
        document = replace(DOCUMENT, number=number)
        content, _ = seal(render_pdf(document), key, words=words, signed_at=document.signed_at)
        store(content, folder="bench", suffix=".pdf")

    def bare(number: int) -> None:
        inputs = {"content": options["sys_inputs"]["content"].replace('"number": 7', f'"number": {number}')}
        writer = IncrementalPdfFileWriter(io.BytesIO(typst.compile(template, **{**options, "sys_inputs": inputs})))
        metadata = signers.PdfSignatureMetadata(
            field_name="Seal",
            md_algorithm="sha256",
            certify=True,
            docmdp_permissions=fields.MDPPerm.NO_CHANGES,
            subfilter=fields.SigSeedSubFilter.PADES,
        )
        content = signers.sign_pdf(writer, metadata, signer=stock_signer, bytes_reserved=16_384).getvalue()
        file = folder / f"{hashlib.sha256(content).hexdigest()}.pdf"
        file.write_bytes(content)
        hashlib.sha256(file.read_bytes()).hexdigest()

    for warm_up in (ours, bare):
        warm_up(0)
    seconds = {"ours": 0.0, "bare": 0.0}
    contenders: list[tuple[str, Callable[[int], None]]] = [("ours", ours), ("bare", bare)]
    for turn in range(ROUNDS):
        for name, make in contenders if turn % 2 else reversed(contenders):
            began = time.perf_counter()
            for number in range(how_many // ROUNDS):
                make(1 + turn * how_many + number)
            seconds[name] += time.perf_counter() - began
    made = how_many // ROUNDS * ROUNDS
    ours_per_second, bare_per_second = made / seconds["ours"], made / seconds["bare"]
    return {
        "documents": made,
        "ours_per_second": round(ours_per_second, 1),
        "bare_per_second": round(bare_per_second, 1),
        "ours_beside_bare": round(ours_per_second / bare_per_second, 2),
    }
