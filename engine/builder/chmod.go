package builder

import (
	"errors"
	"fmt"
	"io/fs"
	"strconv"

	mode "github.com/tonistiigi/dchapes-mode"

	"github.com/xcengine/xc/engine/internal/fstree"
)

// chmod is what --chmod says.
type chmod struct {
	text string // as history tells it
	mode func(old fs.FileMode) fs.FileMode
}

// parseChmod reads an octal number, which is every file's mode, or what chmod(1) takes, which goes out from the mode that a
// file has.
func parseChmod(text string) (*chmod, error) {
	number := invalidf("invalid chmod parameter: '%s'. it should be octal string and between 0 and 07777", text)
	if n, err := strconv.ParseUint(text, 8, 32); err == nil {
		if n > 0o7777 {
			return nil, number
		}
		all := fstree.Mode(uint32(n))
		return &chmod{fmt.Sprintf("%o", n), func(fs.FileMode) fs.FileMode { return all }}, nil
	}
	set, err := mode.ParseWithUmask(text, 0)
	if err != nil {
		if _, isNumber := errors.AsType[*strconv.NumError](err); isNumber {
			return nil, number
		}
		return nil, invalid(err)
	}
	return &chmod{text, set.Apply}, nil
}
