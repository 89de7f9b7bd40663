"""Class-conditional GANs carried from many classes to few images of new ones, as a search space."""
