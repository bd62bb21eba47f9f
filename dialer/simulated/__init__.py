"""The line without a telephone network: patients who speak recordings over a simulated circuit."""
