"""The staff's view of customers, sites, hardware jobs and go-live reports."""

from installations.admin import customers, events, go_live_reports, installations, proof_files, sites

__all__ = ["customers", "events", "go_live_reports", "installations", "proof_files", "sites"]
