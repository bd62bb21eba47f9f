"""What was heard: the two-channel recorder, the encrypted container, the store, the waveform."""
