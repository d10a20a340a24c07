"""Telling people through their channels: what is said, where to, and how it is made sure that it arrives."""
