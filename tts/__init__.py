"""Words to sound: the voice port, its engines, and the prompts made ready before a phone rings."""
