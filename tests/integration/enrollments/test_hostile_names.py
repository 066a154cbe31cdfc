"""Names that imitate paths, markup or commands, in the evidence pack: a ZIP and a PDF that others open."""

import io
import re
import zipfile

import pytest
from pypdf import PdfReader

from enrollments.evidence_pack import verify_pack
from enrollments.evidence_pack.building import build
from installations.proofs import check_proof
from tests.factories.cases import case
from tests.factories.installations import AT, customer_with_legacy_name, go_live_report, installation, site
from tests.factories.poa_documents import signed_poa
from tests.pdf_files import letter

pytestmark = pytest.mark.django_db

NAMES = {
    "a path": ("../../etc", "passwd\\..\\x"),
    "a device": ("CON", "NUL."),
    "a formula": ("=cmd|'/C calc'!A0", "+1"),
    "direction turned": ("\u202egpj.exe", "\u2066x\u2069"),
    "lines": ("Ada\r\nX-Head: 1", "Love\nlace"),
    "long": ("a" * 100, "b" * 100),
    "emoji": ("Ana 🎉", "👩\u200d👧"),
    "markup": ("<script>alert(1)</script>", "&amp;"),
}
SAFE_PATH = re.compile(r"README\.txt|[a-z0-9][a-z0-9_.-]*(/[a-z0-9][a-z0-9_.-]*)*", re.ASCII)


@pytest.mark.parametrize(("first", "last"), NAMES.values(), ids=NAMES.keys())
def test_no_customer_name_affects_file_names_or_the_pack(first: str, last: str) -> None:
    content = letter(words=f"For {len(first)}, {len(last)}.".encode())
    proof = check_proof(io.BytesIO(content), name=f"{first}/{last}.pdf", size_bytes=len(content))
    job = installation(AT, customer=customer_with_legacy_name(AT, first_name=first, last_name=last), site=site(AT))
    signed_poa(customer=job.customer, site=job.site, at=AT)
    go_live_report(job, at=AT, proofs=[proof], note=f"{first} {last}")
    target = io.BytesIO()

    build(case(AT, job=job).pk, target)

    problems, _notes, status = verify_pack.verify(io.BytesIO(target.getvalue()))
    assert (problems, status) == ([], 0)
    with zipfile.ZipFile(target) as archive:
        names = archive.namelist()
        story = archive.read("story.pdf")
    assert [name for name in names if not SAFE_PATH.fullmatch(name)] == []
    assert len(set(names)) == len(names)
    assert PdfReader(io.BytesIO(story)).pages
