"""The pages behind a customer's link: the code, the signing steps, and the home page."""
