"""Pictures for people: crops, marked copies and thumbnails, and how pixels become files."""
