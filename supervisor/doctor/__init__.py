"""`enkan doctor`: what is wrong with this machine or configuration, and what to do.

A check measures, a judgement names what it means by a code, and one catalogue (`rows`)
says the level and the words of every code. Nothing is called well without a measurement
of this run: what could not be looked at is `unknown`, with its reason.
"""
