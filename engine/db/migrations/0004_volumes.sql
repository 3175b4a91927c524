CREATE TABLE volumes (
	name    TEXT PRIMARY KEY,
	record  TEXT NOT NULL -- JSON
) STRICT, WITHOUT ROWID;

CREATE TABLE events (
	number  INTEGER PRIMARY KEY, -- ascending in the order of publication
	record  TEXT NOT NULL -- JSON
) STRICT;
