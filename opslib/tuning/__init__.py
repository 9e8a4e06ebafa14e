"""Measure schedules, search among them, store what won."""
