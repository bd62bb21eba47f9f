"""Placing a call and carrying it: lines, legs, the conversation, turn-taking and outcomes."""
