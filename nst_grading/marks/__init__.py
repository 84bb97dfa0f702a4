"""Points and comments: kept between runs, given by a person, written as tables."""
