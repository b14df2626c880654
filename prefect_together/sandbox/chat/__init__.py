"""Answers in words: read a request, look at its pictures, write an answer, count its tokens, give it a backend's shape.

Together's backends differ in their shapes, which are copied from captures of September 2026. What is said is made up from
the request alone, so that the same request has the same answer, and it speaks of what was asked and of what was drawn.
"""
