"""A new question, asked of a trained router: at once, and with the reasons.

light.py     a saved router that answers one question without what only training needs
encoder.py   its encoder, without torch
words.py     its words, without scikit-learn
nearest.py   the training queries that are most like the question
turning.py   what would change the choice
"""
