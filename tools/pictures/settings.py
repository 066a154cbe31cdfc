"""The settings of the tests, with the clock of the scene in place of the real one."""

from config.settings.test import *  # noqa: F403

CLOCK = "tools.pictures.scene.scene_clock"
