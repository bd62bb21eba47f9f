"""The rows: tables, sessions, migrations."""
