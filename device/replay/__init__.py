"""Room 7, pure: has the door heard this very recording before? Prints of recent speech, their likeness, a memory."""
