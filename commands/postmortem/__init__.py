"""The postmortem of an incident as a document: written from its record alone, the same again whenever it is asked for.

facts: what it is made of, and how people are called in it. record, judged, people: its sections. gaps: what keeps it
from being published. document: all of it as Markdown. Nobody's words are changed here, and nothing is guessed: what
nobody said yet is said to be missing, with the line to type. Pure; used by commands/incident/postmortem.py.
"""
