package db

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"net/netip"

	"github.com/xcengine/xc/engine"
)

// PutNetwork writes a network's record, new or not. A name that another network has is refused.
func (d *DB) PutNetwork(ctx context.Context, n engine.Network) error {
	record, err := json.Marshal(n)
	if err != nil {
		return fmt.Errorf("encode network %s: %w", n.ID, err)
	}
	_, err = d.exec(ctx, `INSERT INTO networks (id, name, record) VALUES (?, ?, ?)
		ON CONFLICT (id) DO UPDATE SET name = excluded.name, record = excluded.record`, n.ID, n.Name, string(record))
	return err
}

// DeleteNetwork removes a network's record and its cursors. There need not be one.
func (d *DB) DeleteNetwork(ctx context.Context, id engine.NetworkID) error {
	_, err := d.exec(ctx, `DELETE FROM networks WHERE id = ?`, id)
	return err
}

// Networks returns every record, in no order.
func (d *DB) Networks(ctx context.Context) ([]engine.Network, error) {
	rows, err := d.sql.QueryContext(ctx, `SELECT record FROM networks`)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var all []engine.Network
	for rows.Next() {
		var record []byte
		if err := rows.Scan(&record); err != nil {
			return nil, err
		}
		var n engine.Network
		if err := json.Unmarshal(record, &n); err != nil {
			return nil, fmt.Errorf("decode a network's record: %w", err)
		}
		all = append(all, n)
	}
	return all, rows.Err()
}

// PutCursors notes the last address that was handed out of pools. Those of networks that are gone are passed over.
func (d *DB) PutCursors(ctx context.Context, cursors []engine.PoolCursor) error {
	return d.Tx(ctx, func(tx *sql.Tx) error {
		for _, c := range cursors {
			_, err := tx.ExecContext(ctx, `INSERT INTO address_cursors (network, pool, last)
				SELECT id, ?, ? FROM networks WHERE id = ?
				ON CONFLICT (network, pool) DO UPDATE SET last = excluded.last`, c.Pool.String(), c.Last.String(), c.Network)
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// Cursors returns every noted cursor, in no order.
func (d *DB) Cursors(ctx context.Context) ([]engine.PoolCursor, error) {
	rows, err := d.sql.QueryContext(ctx, `SELECT network, pool, last FROM address_cursors`)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var all []engine.PoolCursor
	for rows.Next() {
		var c engine.PoolCursor
		var pool, last string
		if err := rows.Scan(&c.Network, &pool, &last); err != nil {
			return nil, err
		}
		if c.Pool, err = netip.ParsePrefix(pool); err != nil {
			return nil, fmt.Errorf("decode a cursor: %w", err)
		}
		if c.Last, err = netip.ParseAddr(last); err != nil {
			return nil, fmt.Errorf("decode a cursor: %w", err)
		}
		all = append(all, c)
	}
	return all, rows.Err()
}
