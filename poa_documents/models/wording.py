"""Templates with the wording of the document, by effective date."""

from collections.abc import Sequence
from typing import Any, ClassVar

from django.db import models

from core.public_records import MirroredRecord
from installations.models import Language

WORDING_FIELDS = (
    "version",
    "language",
    "title",
    "body",
    "broker_facts",
    "erecord_disclosure",
    "summary",
    "confirm_acts_for_me",
    "confirm_limits",
    "confirm_timing",
    "confirm_adult",
)


class WordingInUse(Exception):
    """A customer may have agreed to these words, so they can no longer be changed."""

    def __init__(self, template: "PoaTemplate", fields: Sequence[str]) -> None:
        super().__init__(
            f"Version {template.version} ({template.language}) is in use: {', '.join(fields)} cannot be changed. "
            "Add the new words as the next version, in English and Spanish."
        )


class PoaTemplate(MirroredRecord):
    """
    The wording of one version in one language. Immutable once a document uses it. Both languages change together.

    Texts may contain `$placeholders`, which `wording.render` fills from the case.
    """

    version = models.PositiveIntegerField()
    language = models.CharField(max_length=2, choices=Language.choices)
    title = models.CharField(max_length=200)
    body = models.TextField(help_text="The document itself. Blank lines separate paragraphs; '## ' starts a heading.")
    broker_facts = models.TextField(help_text="Who we are, how and by whom we are paid, and our affiliations.")
    erecord_disclosure = models.TextField(help_text="What agreeing to electronic records means.")
    summary = models.TextField(help_text="The document in plain words.")
    confirm_acts_for_me = models.TextField()
    confirm_limits = models.TextField()
    confirm_timing = models.TextField()
    confirm_adult = models.TextField()
    effective_from_date = models.DateField()
    effective_until_date = models.DateField(null=True, blank=True)

    class Meta:
        verbose_name = "POA template"
        ordering = ("-version", "language")
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["version", "language"], name="one_template_per_version_and_language")
        ]

    def __str__(self) -> str:
        return f"{self.title} (version {self.version}, {self.language})"

    def save(self, *args: Any, **kwargs: Any) -> None:
        """:raises WordingInUse: a document already uses these words"""
        if self.pk is not None and self.documents.exists():
            kept = PoaTemplate.objects.values(*WORDING_FIELDS).get(pk=self.pk)
            changed = [name for name in WORDING_FIELDS if kept[name] != getattr(self, name)]
            if changed:
                raise WordingInUse(self, changed)
        super().save(*args, **kwargs)
