"""Novelty: keywords, their frequency, and Pareto fronts."""
