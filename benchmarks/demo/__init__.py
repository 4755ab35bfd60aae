"""What does the demo reach, and how long does an update take from a fresh process to the first answer?"""
