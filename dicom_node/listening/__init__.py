"""An association server on pynetdicom that strangers cannot stop.

pynetdicom's state machine, services and encodings stay in use. What is our own is how
bytes, time and places are given out: every association is one thread that waits on its
socket against a deadline; no PDU is read that is longer than allowed; no connection
holds a place for which it has not asked with a complete A-ASSOCIATE-RQ.
"""
