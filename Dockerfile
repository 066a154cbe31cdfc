# The image of web, worker and scheduler: the same code, another command each. No tests, no stand-in for Light.

FROM python:3.13-slim-trixie AS build

ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
RUN python -m venv /opt/venv
COPY requirements.lock .
RUN /opt/venv/bin/pip install --require-hashes --requirement requirements.lock

WORKDIR /app
COPY manage.py ./
COPY config config
COPY core core
COPY accounts accounts
COPY installations installations
COPY poa_documents poa_documents
COPY enrollments enrollments
COPY operations operations
COPY templates templates
COPY static static
# The embedded settings with production's static files: collecting needs no secret and no service.
RUN DATA_DIR=/tmp/build /opt/venv/bin/python manage.py collectstatic --noinput --settings config.settings.image \
    && rm -rf /tmp/build && /opt/venv/bin/python -m compileall -q /app


FROM python:3.13-slim-trixie

# pg_dump and pg_restore of the major version that docker-compose.yml runs: an older pg_dump refuses a newer server.
RUN apt-get update \
    && apt-get install --yes --no-install-recommends postgresql-client-17 \
    && rm -rf /var/lib/apt/lists/*
RUN useradd --system --uid 10001 --home-dir /app --shell /usr/sbin/nologin switchyard \
    && install --directory --owner switchyard --mode 0700 /seal /backups
COPY --from=build /opt/venv /opt/venv
COPY --from=build /app /app

ENV PATH=/opt/venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    DATA_DIR=/tmp/switchyard \
    DJANGO_SETTINGS_MODULE=config.settings.production
WORKDIR /app
USER switchyard
EXPOSE 8000

# What a process is ready for is asked by the health check of its own service in docker-compose.yml; this one is web's.
HEALTHCHECK --interval=15s --timeout=5s --start-period=30s --retries=3 \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://localhost:8000/healthz', timeout=4)"]
CMD ["gunicorn", "config.wsgi", "--bind", "0.0.0.0:8000", "--worker-class", "gthread", "--workers", "2", "--threads", "8", "--worker-tmp-dir", "/dev/shm", "--no-control-socket", "--logger-class", "operations.gunicorn_log.GunicornLogger", "--graceful-timeout", "30"]
