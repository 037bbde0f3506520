"""Concepts: vocabulary, matching, groups and reasons."""
