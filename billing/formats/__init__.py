"""The documents of the contract, checked and turned into the rules' dataclasses."""
