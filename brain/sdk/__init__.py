"""The functions of ``raremine.brain``, by area; it exports them all.

Each stands here with its documentation; its body is imported when it is
called.
"""
