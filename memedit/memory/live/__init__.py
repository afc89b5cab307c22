"""What is in force now, in RAM: records, subjects, vectors, and search among them."""
