"""How well we do, in numbers: durations, failures, changes, on-call load, alert quality, toil, and where they are going.

Pure arithmetic over records: incidents (commands/response), what fired (Occurrence), changes and commands
(commands/responsereads.py). Nothing here judges, rounds or says anything to people; the verbs of `review` and `alert`
do. Seconds stay exact, and what is not there is None, never 0.
"""
