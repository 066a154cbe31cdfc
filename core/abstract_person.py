"""What every account has, whether a person or another system signs in with it."""

from django.contrib.auth.models import AbstractUser

from core.public_records import PublicRecord


class Person(AbstractUser, PublicRecord):
    """An account. Actors name it by its public ID (`core.actors`)."""

    class Meta(AbstractUser.Meta):
        abstract = True
