"""Numerical constants of the SPD layers, in one place."""

# X + RIDGE * tr(X) * I keeps an input of deficient rank inside the open SPD cone
# (Brooks et al., NeurIPS 2019, use the same value).
RIDGE = 1e-5

# Smallest eigenvalue that ReEig lets through (Huang and Van Gool, AAAI 2017).
RECTIFY = 1e-4

# Step of the running mean of Riemannian batch normalisation towards the batch mean.
MOMENTUM = 0.1
