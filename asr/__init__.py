"""Sound to words: the recogniser port, its engines, voice activity, and where models live."""
