"""What is asked: the questionnaire format and its checker, the dialogue machine, the answers."""
