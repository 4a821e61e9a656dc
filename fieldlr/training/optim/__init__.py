"""Optimisers beside Adam: Muon and Gauss-Newton."""
