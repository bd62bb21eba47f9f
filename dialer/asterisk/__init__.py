"""The line through Asterisk: ARI for control, chan_websocket for sound."""
