"""hitl puts a person where an agent workflow's error would compound."""
