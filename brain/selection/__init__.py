"""Selects, shows and exports the frames of a training split."""
