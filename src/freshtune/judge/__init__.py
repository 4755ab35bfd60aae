"""Is a challenger better, and has it forgotten nothing? Scorecards on true labels, and a gate that decides."""
