"""Configuration of a private Asterisk on loopback; ``dialer.asterisk.instance`` fills it in."""
