package db

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"time"

	"github.com/xcengine/xc/engine"
)

// ImageState returns everything that is kept of images, in no order.
func (d *DB) ImageState(ctx context.Context) (engine.ImageState, error) {
	var s engine.ImageState
	err := d.Tx(ctx, func(tx *sql.Tx) error {
		var err error
		if s.Images, err = images(ctx, tx); err != nil {
			return err
		}
		if s.Names, err = imageNames(ctx, tx); err != nil {
			return err
		}
		s.Blobs, err = imageBlobs(ctx, tx)
		return err
	})
	return s, err
}

func images(ctx context.Context, tx *sql.Tx) ([]engine.ImageRecord, error) {
	rows, err := tx.QueryContext(ctx, `SELECT record, config FROM images`)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var all []engine.ImageRecord
	for rows.Next() {
		var record, config []byte
		if err := rows.Scan(&record, &config); err != nil {
			return nil, err
		}
		var img engine.ImageRecord
		if err := json.Unmarshal(record, &img); err != nil {
			return nil, fmt.Errorf("decode an image's record: %w", err)
		}
		img.Config = config
		all = append(all, img)
	}
	return all, rows.Err()
}

func imageNames(ctx context.Context, tx *sql.Tx) ([]engine.ImageName, error) {
	rows, err := tx.QueryContext(ctx, `SELECT name, platform, image, set_at FROM image_names`)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var all []engine.ImageName
	for rows.Next() {
		var n engine.ImageName
		var at string
		if err := rows.Scan(&n.Name, &n.Platform, &n.Image, &at); err != nil {
			return nil, err
		}
		if n.Set, err = time.Parse(time.RFC3339Nano, at); err != nil {
			return nil, fmt.Errorf("image name %s: %w", n.Name, err)
		}
		all = append(all, n)
	}
	return all, rows.Err()
}

func imageBlobs(ctx context.Context, tx *sql.Tx) ([]engine.BlobRecord, error) {
	rows, err := tx.QueryContext(ctx, `SELECT record FROM image_blobs`)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var all []engine.BlobRecord
	for rows.Next() {
		var record []byte
		if err := rows.Scan(&record); err != nil {
			return nil, err
		}
		var b engine.BlobRecord
		if err := json.Unmarshal(record, &b); err != nil {
			return nil, fmt.Errorf("decode a blob's record: %w", err)
		}
		all = append(all, b)
	}
	return all, rows.Err()
}

// ChangeImages makes one change of what is kept of images, whole or not at all.
func (d *DB) ChangeImages(ctx context.Context, c engine.ImageChange) error {
	return d.Tx(ctx, func(tx *sql.Tx) error {
		for _, n := range c.DeleteNames {
			if _, err := tx.ExecContext(ctx, `DELETE FROM image_names WHERE name = ? AND platform = ?`, n.Name, n.Platform); err != nil {
				return err
			}
		}
		for _, id := range c.Delete {
			if _, err := tx.ExecContext(ctx, `DELETE FROM images WHERE id = ?`, id); err != nil {
				return err
			}
		}
		for _, digest := range c.DeleteBlobs {
			if _, err := tx.ExecContext(ctx, `DELETE FROM image_blobs WHERE digest = ?`, digest); err != nil {
				return err
			}
		}
		return putImages(ctx, tx, c)
	})
}

func putImages(ctx context.Context, tx *sql.Tx, c engine.ImageChange) error {
	for _, img := range c.Put {
		config := img.Config
		img.Config = nil
		record, err := json.Marshal(img)
		if err != nil {
			return fmt.Errorf("encode image %s: %w", img.ID, err)
		}
		// A change of the record alone leaves the config out.
		_, err = tx.ExecContext(ctx, `INSERT INTO images (id, record, config) VALUES (?1, ?2, COALESCE(?3, x''))
			ON CONFLICT (id) DO UPDATE SET record = excluded.record, config = COALESCE(?3, config)`, img.ID, string(record), config)
		if err != nil {
			return err
		}
	}
	for _, n := range c.PutNames {
		_, err := tx.ExecContext(ctx, `INSERT INTO image_names (name, platform, image, set_at) VALUES (?, ?, ?, ?)
			ON CONFLICT (name, platform) DO UPDATE SET image = excluded.image, set_at = excluded.set_at`,
			n.Name, n.Platform, n.Image, n.Set.UTC().Format(time.RFC3339Nano))
		if err != nil {
			return err
		}
	}
	for _, b := range c.PutBlobs {
		record, err := json.Marshal(b)
		if err != nil {
			return fmt.Errorf("encode blob %s: %w", b.Digest, err)
		}
		_, err = tx.ExecContext(ctx, `INSERT INTO image_blobs (digest, record) VALUES (?, ?)
			ON CONFLICT (digest) DO UPDATE SET record = excluded.record`, b.Digest, string(record))
		if err != nil {
			return err
		}
	}
	return nil
}
