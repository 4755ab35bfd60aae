"""Does anybody notice that the live release is replaced? (TARGET 9)"""
