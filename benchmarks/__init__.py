"""Every measured claim of raremine: one script each, side by side."""
