"""Fixtures that several rooms share."""

pytest_plugins = [
    "tests.support.asterisk_server",
    "tests.support.databases",
    "tests.support.mosquitto_server",
]
