package shim

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"strconv"
	"time"

	"github.com/xcengine/xc/engine"
)

// What a shim keeps in its container's directory.
const (
	sockName = "shim.sock"
	lockName = "shim.pid"
	logName  = "shim.log" // what it has to complain of
	exitName = "exit.json"
	exitTemp = "exit.json.tmp"
)

// saveExit puts main's exit status into the working directory. When it returns, every process finds the status there,
// whoever is killed. sync brings it to the disk, for the case that the power fails; it takes as long as the disk does and is
// left to run beside what comes next.
func saveExit(st engine.ExitStatus) (sync func() error, err error) {
	f, err := os.OpenFile(exitTemp, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return nil, err
	}
	if _, err := f.Write(encodeExit(st)); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	// There is no older status that a power cut between the two steps could take away.
	if err := os.Rename(exitTemp, exitName); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return func() error {
		err := errors.Join(f.Sync(), f.Close())
		dir, derr := os.Open(".")
		if derr != nil {
			return errors.Join(err, derr)
		}
		return errors.Join(err, dir.Sync(), dir.Close())
	}, nil
}

func encodeExit(st engine.ExitStatus) []byte {
	b := append([]byte(`{"code":`), strconv.Itoa(st.Code)...)
	b = append(append(b, `,"signal":`...), strconv.Itoa(st.Signal)...)
	b = st.At.UTC().AppendFormat(append(b, `,"at":"`...), time.RFC3339Nano)
	return append(b, "\"}\n"...)
}

// readExit reads an exit status. One that a power cut damaged is as good as none.
func readExit(path string) (engine.ExitStatus, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return engine.ExitStatus{}, err
	}
	var v struct {
		Code   *int      `json:"code"`
		Signal int       `json:"signal"`
		At     time.Time `json:"at"`
	}
	if err := json.Unmarshal(b, &v); err != nil || v.Code == nil {
		return engine.ExitStatus{}, fs.ErrNotExist
	}
	return engine.ExitStatus{Code: *v.Code, Signal: v.Signal, At: v.At.UTC()}, nil
}
