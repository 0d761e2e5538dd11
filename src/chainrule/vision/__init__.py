"""The vision systems, each from the user's files to a trained, measured, saved model."""
