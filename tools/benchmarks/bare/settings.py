"""No middleware, no templates, one table; the database as in our own settings."""

import os

import environ

SECRET_KEY = "a bench needs no secret, and this is worth nothing"
ALLOWED_HOSTS = ["127.0.0.1"]
INSTALLED_APPS = ["tools.benchmarks.bare"]
MIDDLEWARE: list[str] = []
ROOT_URLCONF = "tools.benchmarks.bare.urls"
DATABASES = {"default": {**environ.Env.db_url_config(os.environ["DATABASE_URL"]), "CONN_MAX_AGE": 600}}
USE_TZ = True
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
