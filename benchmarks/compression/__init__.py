"""How fast is the served model beside the one that everybody runs, and what does it lose? (TARGET 7)"""
