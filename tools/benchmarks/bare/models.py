from django.db import models


class Delivery(models.Model):
    key = models.CharField(max_length=200, unique=True)
    body = models.TextField()
    received_at = models.DateTimeField()

    def __str__(self) -> str:
        return self.key
