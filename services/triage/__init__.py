"""What the patient said, understood: values, findings with evidence, severity by readable rules."""
