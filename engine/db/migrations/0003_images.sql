-- An image's record is the JSON of engine.ImageRecord without its config document, which stands beside it as it is.
CREATE TABLE images (
	id     TEXT PRIMARY KEY,
	record TEXT NOT NULL,
	config BLOB NOT NULL
) STRICT;

CREATE TABLE image_names (
	name     TEXT NOT NULL,
	platform TEXT NOT NULL,
	image    TEXT NOT NULL REFERENCES images (id) ON DELETE CASCADE,
	set_at   TEXT NOT NULL,
	PRIMARY KEY (name, platform)
) STRICT;

CREATE INDEX image_names_image ON image_names (image);

-- The record is the JSON of engine.BlobRecord.
CREATE TABLE image_blobs (
	digest TEXT PRIMARY KEY,
	record TEXT NOT NULL
) STRICT;
