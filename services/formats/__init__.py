"""JSON documents of the services, and the way from them to the rules' dataclasses and back."""
