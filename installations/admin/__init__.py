"""The staff's view of customers, sites, hardware jobs and go-live reports."""

from installations.admin import contact_changes, customers, events, go_live_reports, installations, proof_files, sites

__all__ = ["contact_changes", "customers", "events", "go_live_reports", "installations", "proof_files", "sites"]
