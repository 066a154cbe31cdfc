"""Shared by sealing, checking and asking issuers. Slow to import, because pyHanko is large."""

import asyncio
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from asn1crypto import cms
from asn1crypto import x509 as asn1_x509

_T = TypeVar("_T")


class SignerCertificateMissing(Exception):
    """The time stamp does not include the certificate of its authority."""


def signer_of(content: cms.ContentInfo) -> asn1_x509.Certificate:
    """
    Return the certificate that signed a time stamp.

    :raises SignerCertificateMissing: the time stamp does not include it
    """
    signed = content["content"]
    wanted = signed["signer_infos"][0]["sid"].chosen
    for each in signed["certificates"]:
        certificate = each.chosen
        if (certificate.issuer, certificate.serial_number) == (wanted["issuer"], wanted["serial_number"].native):
            return certificate
    raise SignerCertificateMissing("the time stamp does not carry the certificate of its authority.")


def asn1_certificate(der: bytes) -> asn1_x509.Certificate:
    return asn1_x509.Certificate.load(der)


def result_of(work: Coroutine[Any, Any, _T]) -> _T:
    """Run pyHanko's async code to completion, even in a thread that already has a running event loop."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(work)
    with ThreadPoolExecutor(max_workers=1) as aside:
        return aside.submit(asyncio.run, work).result()
