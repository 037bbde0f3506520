"""The report of a mined dataset: one self-contained HTML page."""
