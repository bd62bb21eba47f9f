"""Alerts: raised, delivered, repeated until a named person has acknowledged them."""
