"""What the office, the customer and the machine do with a power of attorney."""

from poa_documents.actions.anchoring import AnchorOutcome, anchor_journal
from poa_documents.actions.consenting import (
    StepsOutOfOrder,
    WordsChanged,
    choose_language,
    keep_signature,
    record_consent,
)
from poa_documents.actions.drafting import (
    CustomerNotAtSite,
    DatesOutOfOrder,
    PromiseNotOffered,
    UnsignedPoaExists,
    draft_poa,
    ensure_templates,
    send_poa,
    void_poa,
)
from poa_documents.actions.ending import (
    decline_poa,
    expire_poa,
    lapse_poa,
    resume_poa,
    revoke_poa,
    suspend_poa,
    use_authority,
    verify_or_suspend,
)
from poa_documents.actions.mailing import MailOutcome, send_mail
from poa_documents.actions.sealing import SealOutcome, seal_poa
from poa_documents.actions.signing import ConsentIncomplete, SignOutcome, sign_poa
from poa_documents.actions.sweeping import sweep_poas

__all__ = [
    "AnchorOutcome",
    "ConsentIncomplete",
    "CustomerNotAtSite",
    "DatesOutOfOrder",
    "MailOutcome",
    "PromiseNotOffered",
    "SealOutcome",
    "SignOutcome",
    "StepsOutOfOrder",
    "UnsignedPoaExists",
    "WordsChanged",
    "anchor_journal",
    "choose_language",
    "decline_poa",
    "draft_poa",
    "ensure_templates",
    "expire_poa",
    "keep_signature",
    "lapse_poa",
    "record_consent",
    "resume_poa",
    "revoke_poa",
    "seal_poa",
    "send_mail",
    "send_poa",
    "sign_poa",
    "suspend_poa",
    "sweep_poas",
    "use_authority",
    "verify_or_suspend",
    "void_poa",
]
