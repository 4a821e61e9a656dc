"""Pure functions of two signals: how near a picture or a shape comes to its original."""
