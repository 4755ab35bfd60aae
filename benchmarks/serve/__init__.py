"""What does serving over HTTP cost beyond the model itself? (TARGET 8)"""
