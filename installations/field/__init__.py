"""The technicians' pages: my jobs, and reporting that the hardware may run."""
