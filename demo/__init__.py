"""The embedded default: a rendered mini world and models trained on it."""
