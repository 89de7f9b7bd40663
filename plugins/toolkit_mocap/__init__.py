"""Motion capture: sequences of joint positions as covariance matrices, split by subject."""
