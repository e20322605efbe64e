"""`smll explain`: where the bits of a text go, as a page."""
