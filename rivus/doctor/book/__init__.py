"""The rules by what they are about. A chapter is a tuple of rules, and their order matters."""
