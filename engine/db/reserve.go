package db

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"io"
	"os"
	"sync"
	"time"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

const (
	// reserveSize is what the log takes before it is written back, in bytes.
	reserveSize = 4 << 20
	// reserveEvery bounds how often it is tried to keep space again.
	reserveEvery = 10 * time.Second
)

// reserve is space that is kept for the database beside it, as a file: what a user removes from a disk that is full is
// written down first, which could not be otherwise, so that nothing could be removed.
type reserve struct {
	path string

	mu    sync.Mutex
	kept  bool
	tried time.Time
}

// release gives the space back, and reports whether there was some.
func (r *reserve) release() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.kept, r.tried = false, time.Now()
	return os.Remove(r.path) == nil
}

// keep takes the space, if it is not kept and there is some. Where there is none the database does without.
func (r *reserve) keep() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.kept || time.Since(r.tried) < reserveEvery {
		return
	}
	r.tried = time.Now()
	if info, err := os.Stat(r.path); err == nil && info.Size() == reserveSize {
		r.kept = true
		return
	}
	if r.fill() != nil {
		_ = os.Remove(r.path) // half of it would serve nobody
		return
	}
	r.kept = true
}

// fill writes what no file system compresses away.
func (r *reserve) fill() error {
	f, err := os.OpenFile(r.path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = io.CopyN(f, rand.Reader, reserveSize)
	return errors.Join(err, f.Close())
}

// withSpace calls f, and once more with the space that is kept when f found none.
func (r *reserve) withSpace(f func() error) error {
	err := f()
	if full(err) && r.release() {
		err = f()
	}
	if err == nil {
		r.keep()
	}
	return err
}

// Yield gives up the space that is kept for the database, for what its daemon needs on a disk that is full. It reports whether
// there was some; it is kept again when there is more.
func (d *DB) Yield() bool { return d.reserve.release() }

// full reports whether an error may be for want of space: of the files beside the database SQLite does not tell it apart.
func full(err error) bool {
	var e *sqlite.Error
	if !errors.As(err, &e) {
		return false
	}
	switch e.Code() & 0xff {
	case sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN:
		return true
	}
	return false
}

// exec executes one statement in a transaction of its own.
func (d *DB) exec(ctx context.Context, query string, args ...any) (res sql.Result, err error) {
	err = d.reserve.withSpace(func() error {
		res, err = d.sql.ExecContext(ctx, query, args...)
		return err
	})
	return res, err
}
