-- The record is the JSON of engine.BuildCacheEntry.
CREATE TABLE build_cache (
	key    TEXT PRIMARY KEY,
	record TEXT NOT NULL
) STRICT;
