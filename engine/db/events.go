package db

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/xcengine/xc/engine"
)

// AppendEvents writes events in order and forgets all but the newest keep.
func (d *DB) AppendEvents(ctx context.Context, events []engine.Event, keep int) error {
	return d.Tx(ctx, func(tx *sql.Tx) error {
		insert, err := tx.PrepareContext(ctx, `INSERT INTO events (record) VALUES (?)`)
		if err != nil {
			return err
		}
		defer insert.Close()
		for _, e := range events {
			record, err := json.Marshal(e)
			if err != nil {
				return fmt.Errorf("encode an event: %w", err)
			}
			if _, err := insert.ExecContext(ctx, string(record)); err != nil {
				return err
			}
		}
		_, err = tx.ExecContext(ctx, `DELETE FROM events WHERE number <= (SELECT MAX(number) FROM events) - ?`, keep)
		return err
	})
}

// Events returns the newest events, oldest first.
func (d *DB) Events(ctx context.Context, newest int) ([]engine.Event, error) {
	rows, err := d.sql.QueryContext(ctx, `SELECT record FROM events ORDER BY number DESC LIMIT ?`, newest)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var all []engine.Event
	for rows.Next() {
		var record []byte
		if err := rows.Scan(&record); err != nil {
			return nil, err
		}
		var e engine.Event
		if err := json.Unmarshal(record, &e); err != nil {
			return nil, fmt.Errorf("decode an event: %w", err)
		}
		all = append(all, e)
	}
	slices.Reverse(all)
	return all, rows.Err()
}
