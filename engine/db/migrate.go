package db

import (
	"context"
	"database/sql"
	"embed"
	"fmt"
	"io/fs"
	"strconv"
	"strings"
)

//go:embed migrations/*.sql
var migrations embed.FS

// migrate applies the migrations that the database has not seen, each in a transaction of its own with the note that it was
// applied. Rooms number theirs independently, so every one is noted, not the highest alone.
func (d *DB) migrate(ctx context.Context) error {
	const table = `CREATE TABLE IF NOT EXISTS migrations (
		number INTEGER PRIMARY KEY, name TEXT NOT NULL, applied TEXT NOT NULL DEFAULT CURRENT_TIMESTAMP) STRICT`
	if _, err := d.exec(ctx, table); err != nil {
		return err
	}
	known, err := fs.Glob(migrations, "migrations/*.sql")
	if err != nil {
		return err
	}
	last := 0
	for _, file := range known { // Glob sorts, and numbers have four digits
		number, name, err := migrationNumber(file)
		if err != nil {
			return err
		}
		if err := d.apply(ctx, number, name, file); err != nil {
			return fmt.Errorf("migration %s: %w", file, err)
		}
		last = max(last, number)
	}
	var newest int
	if err := d.sql.QueryRowContext(ctx, `SELECT COALESCE(MAX(number), 0) FROM migrations`).Scan(&newest); err != nil {
		return err
	}
	if newest > last {
		return fmt.Errorf("written by a newer version (schema %d, this one knows %d): start that version, or another state directory", newest, last)
	}
	return nil
}

func (d *DB) apply(ctx context.Context, number int, name, file string) error {
	script, err := migrations.ReadFile(file)
	if err != nil {
		return err
	}
	return d.Tx(ctx, func(tx *sql.Tx) error {
		var seen bool
		if err := tx.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM migrations WHERE number = ?)`, number).Scan(&seen); err != nil || seen {
			return err
		}
		if _, err := tx.ExecContext(ctx, string(script)); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, `INSERT INTO migrations (number, name) VALUES (?, ?)`, number, name)
		return err
	})
}

// migrationNumber splits "migrations/0001_containers.sql".
func migrationNumber(file string) (int, string, error) {
	base := strings.TrimSuffix(strings.TrimPrefix(file, "migrations/"), ".sql")
	digits, name, ok := strings.Cut(base, "_")
	number, err := strconv.Atoi(digits)
	if !ok || err != nil || len(digits) != 4 || number < 1 {
		return 0, "", fmt.Errorf("migration file %q is not named NNNN_name.sql", file)
	}
	return number, name, nil
}
