"""Errors that a user can act on.

Every message says what was wrong, where (path, token, field) and what to do
next; operators show it as it is, without a traceback.
"""

from __future__ import annotations


class RaremineError(ValueError):
    """A user's mistake or a broken input, told in one clear sentence."""


class DatarootError(RaremineError):
    """A nuScenes dataroot that is absent, incomplete or malformed."""


class ModelError(RaremineError):
    """A model whose weights are absent, unreadable or of another kind."""


class MissingStageError(RaremineError):
    """A stage that needs the result of another stage that has not run."""


class RecipeError(RaremineError):
    """A selection recipe that cannot be carried out."""


class VocabularyError(RaremineError):
    """A concept vocabulary that is not valid."""
