package proxy

import (
	"errors"
	"log/slog"
	"net"
	"time"
)

// sendTimeout bounds how long a message waits for a receiver whose queue is full.
const sendTimeout = 5 * time.Second

// messages passes on datagrams of a socket, one way: syslog(3)'s, say. The receiver is looked up for each, since it may have
// been started anew. It sees them as the proxy's own: datagrams do not tell who sent them.
type messages struct {
	front *net.UnixConn
	to    string
	log   *slog.Logger
}

func (m *messages) serve() {
	b := make([]byte, maxDatagram)
	for {
		n, err := m.front.Read(b)
		if err == nil {
			err = m.send(b[:n])
		}
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			m.log.Warn("forward a message", "error", err)
			time.Sleep(acceptPause)
		}
	}
}

func (m *messages) send(b []byte) error {
	c, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Net: "unixgram", Name: m.to})
	if err != nil {
		return err
	}
	defer c.Close()
	if err := c.SetWriteDeadline(time.Now().Add(sendTimeout)); err != nil {
		return err
	}
	_, err = c.Write(b)
	return err
}

func (m *messages) close() { m.front.Close() }
