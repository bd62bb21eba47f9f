"""The hospital around the call: rows, security, the call engine, alerts, the desk, the commands."""
