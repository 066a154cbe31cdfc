from django.apps import AppConfig


class ConfigConfig(AppConfig):
    name = "config"
    label = "switchyard_config"
    verbose_name = "Switchyard"
