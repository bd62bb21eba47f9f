"""Fixtures that several rooms share."""

pytest_plugins = ["tests.support.databases", "tests.support.mosquitto_server"]
