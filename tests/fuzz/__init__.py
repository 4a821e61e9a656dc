"""Damaged and hostile inputs by the thousand: what every reader and decoder makes of them."""
