"""Normalisations in the form that inference has, one per file, as modules that ``torch.export`` takes.

Those with stored statistics also say how they gather them, and fold into the layer beside them.
"""
