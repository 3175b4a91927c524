package db

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"

	"github.com/xcengine/xc/engine"
)

// BuildCache returns every entry of the build cache, in no order.
func (d *DB) BuildCache(ctx context.Context) ([]engine.BuildCacheEntry, error) {
	rows, err := d.sql.QueryContext(ctx, `SELECT record FROM build_cache`)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var all []engine.BuildCacheEntry
	for rows.Next() {
		var record []byte
		if err := rows.Scan(&record); err != nil {
			return nil, err
		}
		var e engine.BuildCacheEntry
		if err := json.Unmarshal(record, &e); err != nil {
			return nil, fmt.Errorf("decode an entry of the build cache: %w", err)
		}
		all = append(all, e)
	}
	return all, rows.Err()
}

// ChangeBuildCache removes entries by their keys, which need not exist, and writes entries, new or not. All of it happens or
// nothing.
func (d *DB) ChangeBuildCache(ctx context.Context, put []engine.BuildCacheEntry, remove []string) error {
	return d.Tx(ctx, func(tx *sql.Tx) error {
		for _, key := range remove {
			if _, err := tx.ExecContext(ctx, `DELETE FROM build_cache WHERE key = ?`, key); err != nil {
				return err
			}
		}
		for _, e := range put {
			record, err := json.Marshal(e)
			if err != nil {
				return fmt.Errorf("encode an entry of the build cache: %w", err)
			}
			_, err = tx.ExecContext(ctx, `INSERT INTO build_cache (key, record) VALUES (?, ?)
				ON CONFLICT (key) DO UPDATE SET record = excluded.record`, e.Key, string(record))
			if err != nil {
				return err
			}
		}
		return nil
	})
}
