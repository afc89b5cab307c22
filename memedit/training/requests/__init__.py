"""Requests as people make them, and what each edit is to them: what a scope learns roles from.

A request has edits with roles. ``asks``: the request's answer is what the edit says, in any wording
and with anything around it. ``informs``: the answer depends on it: yes or no, a choice, further
hops, the question turned round, a text or table in which the fact stands, a question over several
facts, what a policy means for a case. ``none``: everything else, however alike.

The rule for parts: a statement says everything that stands in it, so a question whose answer is
read off a statement (a policy, a paragraph) ``asks`` it; what must be concluded from it, and every
yes/no question, it ``informs``. An edit with a prompt says its target as a whole: a question about
a part of a long target is ``informs``.
"""
