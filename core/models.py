"""Records that every floor shares."""

from django.db import models


class CaseChange(models.Model):
    """
    That something about a site's case changed, written in the transaction that changed it.

    Floor 3 takes it away once it has looked; a lost message therefore costs a sweep, never an enrollment.
    """

    site_id = models.PositiveBigIntegerField(db_index=True)
    at = models.DateTimeField()

    class Meta:
        ordering = ("pk",)

    def __str__(self) -> str:
        return f"Case of site {self.site_id} changed"
