"""A ward of patients who are called on a laptop, through the real pipeline."""
