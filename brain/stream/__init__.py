"""Streams: decoded images, crops and batches."""
