"""What happens next with an enrollment, and why. Facts go in, a step comes out."""
