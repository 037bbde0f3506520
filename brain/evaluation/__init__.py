"""Measures mining against ground truth."""
