"""Follow-ups that come due, the attempts they become, and the durable engine that carries them."""
