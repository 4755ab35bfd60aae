"""What does an update cost as the history behind it grows? (TARGET 6)"""
