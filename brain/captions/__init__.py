"""Captions: prompts, answers and the stage that asks."""
