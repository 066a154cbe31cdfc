"""The pages behind a customer's link: the code, the steps to the signature, and what came of it."""
