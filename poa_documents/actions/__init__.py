"""What the office, the customer and the machine do with a power of attorney."""

from poa_documents.actions.anchoring import AnchorOutcome, anchor_journal
from poa_documents.actions.checking import CheckOutcome, check_sealed_files
from poa_documents.actions.consenting import (
    FormatNotShown,
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
from poa_documents.actions.linking import settle_contact_change
from poa_documents.actions.mailing import MailOutcome, send_mail
from poa_documents.actions.paper import (
    NoPaperWaiting,
    NotPrinted,
    PaperAlreadyRecorded,
    PaperDateOdd,
    SamePersonTwice,
    confirm_paper,
    print_for_paper,
    record_paper,
    refuse_paper,
)
from poa_documents.actions.proving import (
    CodeAnswer,
    CodeVerdict,
    ContactNotProved,
    LinkOverasked,
    TooManyCodes,
    ask_for_code,
    enter_code,
)
from poa_documents.actions.sealing import SealOutcome, seal_poa
from poa_documents.actions.signing import ConsentIncomplete, SignOutcome, sign_poa
from poa_documents.actions.sweeping import sweep_poas
from poa_documents.actions.timestamping import stamp_later
from poa_documents.actions.vouching import AskOutcome, ask_issuers, check_not_revoked, why_unanswered

__all__ = [
    "AnchorOutcome",
    "AskOutcome",
    "CheckOutcome",
    "CodeAnswer",
    "CodeVerdict",
    "ConsentIncomplete",
    "ContactNotProved",
    "CustomerNotAtSite",
    "DatesOutOfOrder",
    "FormatNotShown",
    "LinkOverasked",
    "MailOutcome",
    "NoPaperWaiting",
    "NotPrinted",
    "PaperAlreadyRecorded",
    "PaperDateOdd",
    "PromiseNotOffered",
    "SamePersonTwice",
    "SealOutcome",
    "SignOutcome",
    "StepsOutOfOrder",
    "TooManyCodes",
    "UnsignedPoaExists",
    "WordsChanged",
    "anchor_journal",
    "ask_for_code",
    "ask_issuers",
    "check_not_revoked",
    "check_sealed_files",
    "choose_language",
    "confirm_paper",
    "decline_poa",
    "draft_poa",
    "ensure_templates",
    "enter_code",
    "expire_poa",
    "keep_signature",
    "lapse_poa",
    "print_for_paper",
    "record_consent",
    "record_paper",
    "refuse_paper",
    "resume_poa",
    "revoke_poa",
    "seal_poa",
    "send_mail",
    "send_poa",
    "settle_contact_change",
    "sign_poa",
    "stamp_later",
    "suspend_poa",
    "sweep_poas",
    "use_authority",
    "verify_or_suspend",
    "void_poa",
    "why_unanswered",
]
