package db

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"

	// The driver registers itself with database/sql.
	_ "modernc.org/sqlite"
)

// DB is an open database. Its methods are safe for concurrent use.
type DB struct {
	sql     *sql.DB
	reserve reserve
}

// Open opens or makes the database at path and brings its schema up to date. The directory must exist. A database that a
// newer version wrote is refused.
func Open(ctx context.Context, path string) (*DB, error) {
	// Pragmas stand in the DSN because they hold per connection. The path is escaped: it may contain '?' or '%'.
	dsn := (&url.URL{Scheme: "file", Opaque: url.PathEscape(path), RawQuery: url.Values{
		"_txlock": {"immediate"},
		"_pragma": {
			"journal_mode(WAL)", "synchronous(NORMAL)", "foreign_keys(1)", "busy_timeout(5000)",
			"cache_size(-2000)", "temp_store(MEMORY)",
		},
	}.Encode()}).String()
	pool, err := sql.Open("sqlite", dsn)
	if err != nil {
		return nil, fmt.Errorf("open database %s: %w", path, err)
	}
	pool.SetMaxOpenConns(1)
	d := &DB{sql: pool, reserve: reserve{path: path + "-reserve"}}
	if err := d.migrate(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("open database %s: %w", path, err), pool.Close())
	}
	return d, nil
}

// Close writes the log back and closes the database.
func (d *DB) Close() error { return d.sql.Close() }

// Tx runs f in one transaction: committed when f returns nil, else rolled back. Where the disk is full it may run twice.
func (d *DB) Tx(ctx context.Context, f func(*sql.Tx) error) error {
	return d.reserve.withSpace(func() error { return d.tx(ctx, f) })
}

func (d *DB) tx(ctx context.Context, f func(*sql.Tx) error) error {
	tx, err := d.sql.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	if err := f(tx); err != nil {
		return errors.Join(err, tx.Rollback())
	}
	return tx.Commit()
}
