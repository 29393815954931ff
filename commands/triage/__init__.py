"""What an alert means: which facts to read, and what they say is the matter.

A rule (rule.py) names the alerts it is for and one pure generator, like a part of a command. The topics
(pods.py, nodes.py, …) each hold their rules in RULES; table.py lists the topics and finds the rule for an alert.
To add a diagnosis: write a rule into the topic it belongs to, and a table of cases into tests/pure/.
Used by `alert triage`, which runs by itself when an alert fires, and by the commands that ask the same questions
(`debug`, `logs`). Pure; never sends, never decides what is changed: a suggestion is a command text.
"""
