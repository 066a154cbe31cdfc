"""Admin pages of customers, sites, installations and go-live reports."""

from installations.admin import customers, go_live_reports, history, installations, proof_files, sites

__all__ = ["customers", "go_live_reports", "history", "installations", "proof_files", "sites"]
