"""The neighbour graph of the crops, computed once for all that need it."""
