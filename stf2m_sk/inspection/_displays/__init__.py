"""Figures of what a classifier has learned and says. matplotlib is needed to draw only."""
