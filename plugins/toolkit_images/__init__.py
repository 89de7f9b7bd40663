"""Image classification tasks: digits, CIFAR, STL-10, folders of images, arrays."""
