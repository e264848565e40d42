"""What every method hands over beside its model: before and after, where it comes from, a page."""
