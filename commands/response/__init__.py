"""What an incident is: its nouns, the events it is made of, and the fold from one to the other. Pure; imported by all."""
