CREATE TABLE networks (
	id      TEXT PRIMARY KEY,
	name    TEXT NOT NULL UNIQUE,
	record  TEXT NOT NULL -- JSON
) STRICT, WITHOUT ROWID;

CREATE TABLE address_cursors (
	network TEXT NOT NULL REFERENCES networks (id) ON DELETE CASCADE,
	pool    TEXT NOT NULL, -- subnet
	last    TEXT NOT NULL, -- address handed out last
	PRIMARY KEY (network, pool)
) STRICT, WITHOUT ROWID;
