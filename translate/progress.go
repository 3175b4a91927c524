package translate

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/docker/docker/api/types"
	"github.com/docker/docker/api/types/build"
	"github.com/docker/go-units"

	"github.com/xcengine/xc/engine"
)

// progressLine is a line of a JSON stream, in the order of jsonmessage.JSONMessage.
type progressLine struct {
	Stream   string          `json:"stream,omitempty"`
	Status   string          `json:"status,omitempty"`
	Detail   *progressDetail `json:"progressDetail,omitempty"`
	Bar      string          `json:"progress,omitempty"`
	ID       string          `json:"id,omitempty"`
	Error    *progressError  `json:"errorDetail,omitempty"`
	ErrorOld string          `json:"error,omitempty"`
	Aux      any             `json:"aux,omitempty"`
}

type progressDetail struct {
	Current int64 `json:"current,omitempty"`
	Total   int64 `json:"total,omitempty"`
}

type progressError struct {
	Code    int    `json:"code,omitempty"`
	Message string `json:"message,omitempty"`
}

// lineEnd ends the lines of JSON streams.
const lineEnd = "\r\n"

// ProgressLine renders a line of a pull's, push's, load's or import's stream.
func ProgressLine(p engine.Progress) []byte {
	line := progressLine{Stream: p.Stream, Status: p.Status, ID: p.ID}
	// What is about a part carries the part's count, an empty one before it is known. "Pulling from" bears the tag where
	// others bear a part, and is none.
	part := p.ID != "" && !strings.HasPrefix(p.Status, "Pulling from ")
	if part || p.Current > 0 || p.Total > 0 {
		line.Detail = &progressDetail{p.Current, p.Total}
		line.Bar = progressBar(p.Current, p.Total)
	}
	switch a := p.Aux; {
	case a == nil:
	case a.ID != "":
		line.Aux = build.Result{ID: string(a.ID)}
	default:
		line.Detail = &progressDetail{}
		line.Aux = types.PushResult{Tag: a.Tag, Digest: a.Digest, Size: int(a.Size)}
	}
	return encodeLine(line)
}

// StatusLine renders a line that is not about a part.
func StatusLine(status string) []byte { return encodeLine(progressLine{Status: status}) }

// ErrorLine renders the error that ends a stream.
func ErrorLine(err error) []byte {
	text := Message(err)
	return encodeLine(progressLine{Error: &progressError{Code: stepCode(err), Message: text}, ErrorOld: text})
}

func encodeLine(line progressLine) []byte {
	b, err := json.Marshal(line)
	if err != nil { // of strings and numbers: cannot be
		b = []byte(`{"error":"format error"}`)
	}
	return append(b, lineEnd...)
}

// barWidth is how many places a full bar has.
const barWidth = 50

// progressBar draws how far a part has come, as jsonmessage.JSONProgress does for a terminal that is wide enough.
func progressBar(current, total int64) string {
	switch {
	case current <= 0 && total <= 0:
		return ""
	case total <= 0:
		return fmt.Sprintf("%8v", units.HumanSize(float64(current)))
	}
	done := min(int(float64(current)/float64(total)*100)/2, barWidth)
	counts := fmt.Sprintf("%8v/%v", units.HumanSize(float64(current)), units.HumanSize(float64(total)))
	if current > total {
		counts = fmt.Sprintf("%8v", units.HumanSize(float64(current)))
	}
	return "[" + strings.Repeat("=", done) + ">" + strings.Repeat(" ", barWidth-done) + "] " + counts
}
