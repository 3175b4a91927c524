package engine

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"
)

// AttachOptions says what a client wants of a container's main process.
type AttachOptions struct {
	Stdin, Stdout, Stderr bool
	Stream                bool   // live output; false with Logs gives the log alone
	Logs                  bool   // the log first
	DetachKeys            string // "ctrl-p,ctrl-q" form; empty is that default
}

// ParseDetachKeys reads keys as Docker's clients write them, a comma list of single characters and "ctrl-" with one of
// a-z @ [ \ ] ^ _, and gives the bytes that a terminal sends: none for the empty string.
func ParseDetachKeys(s string) ([]byte, error) {
	keys := []byte{}
	if s == "" {
		return keys, nil
	}
	for key := range strings.SplitSeq(s, ",") {
		c, ctrl := strings.CutPrefix(key, "ctrl-")
		switch {
		case len(key) == 1:
			keys = append(keys, key[0])
		case ctrl && len(c) == 1 && 'a' <= c[0] && c[0] <= 'z':
			keys = append(keys, c[0]-'a'+1)
		case ctrl && len(c) == 1 && strings.Contains("@[\\]^_", c):
			keys = append(keys, c[0]-'@')
		default:
			return nil, fmt.Errorf("Unknown character: '%s'", key)
		}
	}
	return keys, nil
}

// AttachedStream is an accepted attach or exec start: every check was made, nothing is moved yet. Run moves it until the
// process has ended and everything it wrote was delivered, the client detached or ctx ended. Close releases what an
// unused one holds; after Run it does nothing. The error of Run is nil after an orderly end.
type AttachedStream interface {
	TTY() bool
	Run(ctx context.Context, io Stdio) error
	Close() error
}

// Source is which stream of a process a record came from.
type Source uint8

// The sources, by Docker's frame numbers.
const (
	SourceStdout Source = 1
	SourceStderr Source = 2
)

// LogRecord is one line of a container's log, with its line feed if it had one. Data is valid until the next record.
type LogRecord struct {
	Time   time.Time
	Source Source
	Attrs  map[string]string
	Data   []byte
}

// LogQuery selects log records.
type LogQuery struct {
	Stdout, Stderr bool
	Follow         bool
	Since, Until   time.Time // zero: no bound
	Tail           int       // the last n records; negative is all
	Before         *LogMark  // only what stands before this place; nil: no bound. Without Follow
}

// LogMark is a place in a log that grows.
type LogMark struct {
	File uint64 // the inode of the newest file
	Size int64  // of that file
	// Rest is what each stream has written since its last line feed: it belongs before the place and stands in no file yet.
	Rest map[Source][]byte
}

// LogStream is an accepted logs request. Read calls each for every record in order, waits for more when following, and
// returns when the log ends, each fails or ctx ends. flush is called when it is about to wait.
type LogStream interface {
	TTY() bool
	Read(ctx context.Context, each func(LogRecord) error, flush func() error) error
	Close() error
}

// PathStat describes a path inside a container. Mode is the full mode with its type bits.
type PathStat struct {
	Name       string
	Size       int64
	Mode       uint32 // Go's io/fs.FileMode bits
	ModTime    time.Time
	LinkTarget string
}

// Archive is a tar stream out of a container or image.
type Archive struct {
	io.ReadCloser
	Stat PathStat
}

// ExtractOptions says how an archive is put into a container.
type ExtractOptions struct {
	NoOverwriteDirNonDir bool // refuse to replace a directory by a file or the other way round
	KeepOwner            bool // Docker's copyUIDGID
}

// Conn is a client's place at a process's streams.
type Conn interface {
	// Stream moves data until the process's output ends, ctx ends, or a Stdio member fails. When Stdio.Stdin ends, the
	// process's stdin is told so if it is a StdinOnce one. It returns nil at the output's end.
	Stream(ctx context.Context, io Stdio) error
	Close() error
}

// ShimStatus is a shim's present knowledge.
type ShimStatus struct {
	Pid   int
	Exit  *ExitStatus
	Execs map[ExecID]ExecStatus
}

// ExecStatus is a shim's knowledge of one exec.
type ExecStatus struct {
	Pid  int
	Exit *ExitStatus
}

// ShimEvent is the end of a process; the empty Exec is main.
type ShimEvent struct {
	Exec ExecID
	Exit ExitStatus
}
