"""Pure functions on symmetric positive definite matrices, Stiefel matrices and simplices."""
