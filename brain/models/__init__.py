"""Models: three protocols and what keeps them."""
