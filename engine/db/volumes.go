package db

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/xcengine/xc/engine"
)

// PutVolume writes a volume's record, new or not.
func (d *DB) PutVolume(ctx context.Context, v engine.VolumeRecord) error {
	record, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("encode volume %s: %w", v.Name, err)
	}
	_, err = d.exec(ctx, `INSERT INTO volumes (name, record) VALUES (?, ?)
		ON CONFLICT (name) DO UPDATE SET record = excluded.record`, v.Name, string(record))
	return err
}

// DeleteVolume removes a volume's record. There need not be one.
func (d *DB) DeleteVolume(ctx context.Context, name string) error {
	_, err := d.exec(ctx, `DELETE FROM volumes WHERE name = ?`, name)
	return err
}

// Volumes returns every record, in no order.
func (d *DB) Volumes(ctx context.Context) ([]engine.VolumeRecord, error) {
	rows, err := d.sql.QueryContext(ctx, `SELECT record FROM volumes`)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var all []engine.VolumeRecord
	for rows.Next() {
		var record []byte
		if err := rows.Scan(&record); err != nil {
			return nil, err
		}
		var v engine.VolumeRecord
		if err := json.Unmarshal(record, &v); err != nil {
			return nil, fmt.Errorf("decode a volume's record: %w", err)
		}
		all = append(all, v)
	}
	return all, rows.Err()
}
