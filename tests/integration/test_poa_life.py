import pytest
from tests.factories.poa_documents import signed_poa

pytestmark = pytest.mark.django_db

def test_x():
    p = signed_poa()
    from poa_documents.guards import read_signed_pdf
    open('/tmp/poa/x.pdf','wb').write(read_signed_pdf(p))
    from poa_documents import evidence
    assert evidence.verify(p).is_intact
