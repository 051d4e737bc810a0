"""The control loop: a slot for the live program, a recorder, and flights of a plant under a program."""
