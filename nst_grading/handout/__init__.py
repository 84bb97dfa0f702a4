"""What students are given: released notebooks, with data of their own, and nbgrader's course."""
