"""Sound in which the words stand: a voice like a music box that says every word in notes, and an ear that reads them back.

No speech is imitated. What is said survives encoding, other sample rates, cuts, joins and a film's own sound, because it is
the signal itself and not a note beside it; so that a flow can be followed from text to sound, to film, to subtitles.
"""
