"""How soon after a labelled event do answers come from a release that learned it? (TARGET 4)"""
