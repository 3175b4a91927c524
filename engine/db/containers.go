package db

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"

	"github.com/xcengine/xc/engine"
)

// PutContainer writes a container's record, new or not, without its secrets. A name that another container holds is a Conflict.
func (d *DB) PutContainer(ctx context.Context, c engine.Container) error {
	c.Spec.SecretEnv = nil
	record, err := json.Marshal(c)
	if err != nil {
		return fmt.Errorf("encode container %s: %w", c.ID, err)
	}
	return d.Tx(ctx, func(tx *sql.Tx) error {
		var holder string
		err := tx.QueryRowContext(ctx, `SELECT id FROM containers WHERE name = ? AND id <> ?`, c.Name, c.ID).Scan(&holder)
		switch {
		case err == nil:
			return &engine.Error{Op: "name", Kind: engine.Conflict, Resource: engine.ResourceContainer, ID: c.Name, Reason: engine.ReasonNameTaken, Args: []string{holder}}
		case err != sql.ErrNoRows:
			return err
		}
		_, err = tx.ExecContext(ctx, `INSERT INTO containers (id, name, state, record) VALUES (?, ?, ?, ?)
			ON CONFLICT (id) DO UPDATE SET name = excluded.name, state = excluded.state, record = excluded.record`,
			c.ID, c.Name, c.Status.State, string(record))
		return err
	})
}

// DeleteContainer removes a container's record. There need not be one.
func (d *DB) DeleteContainer(ctx context.Context, id engine.ContainerID) error {
	_, err := d.exec(ctx, `DELETE FROM containers WHERE id = ?`, id)
	return err
}

// Containers returns every record, in no order.
func (d *DB) Containers(ctx context.Context) ([]engine.Container, error) {
	rows, err := d.sql.QueryContext(ctx, `SELECT record FROM containers`)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var all []engine.Container
	for rows.Next() {
		var record []byte
		if err := rows.Scan(&record); err != nil {
			return nil, err
		}
		var c engine.Container
		if err := json.Unmarshal(record, &c); err != nil {
			return nil, fmt.Errorf("decode a container's record: %w", err)
		}
		all = append(all, c)
	}
	return all, rows.Err()
}
