"""What was mined, counted in the database, and the views behind each count.

Nothing here downloads labels: counts come from aggregations, lists are
bounded, and each counted thing has conditions that open as a view.
"""
