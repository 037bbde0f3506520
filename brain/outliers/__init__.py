"""Outliers: one score a module, their fusion, and the stage."""
