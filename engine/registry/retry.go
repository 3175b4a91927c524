package registry

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"syscall"
	"time"
)

// Small requests are tried a few times; one that a registry puts off for longer than maxPatience fails with its words.
const (
	attempts     = 5
	firstDelay   = 250 * time.Millisecond
	maxPatience  = 30 * time.Second
	requestLimit = 2 * time.Minute
)

// retry calls f until it succeeds, fails for good, or was tried often enough. A connection that is refused is not tried
// again: a daemon's user who mistyped a port should not wait.
func (c *Client) retry(ctx context.Context, f func() error) error {
	delay := firstDelay
	for n := 1; ; n++ {
		err := f()
		if err == nil || ctx.Err() != nil || n == attempts || !temporary(err) {
			return err
		}
		wait := delay/2 + rand.N(delay) //nolint:gosec // only spreads the load
		var asked interface{ RetryAfter() time.Duration }
		if errors.As(err, &asked) && asked.RetryAfter() > 0 {
			wait = asked.RetryAfter()
		} else if isStatus(err, http.StatusTooManyRequests) {
			return err // a limit without a term is one of hours
		}
		if wait > maxPatience {
			return err
		}
		c.log.Debug("trying a registry again", "attempt", n, "wait", wait, "error", err)
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(wait):
		}
		delay *= 2
	}
}

func isCanceled(err error) bool {
	return errors.Is(err, context.Canceled)
}

// isNetwork reports whether a conversation broke off, as against one that cannot be had: unknown authorities, wrong names,
// no one listening.
func isNetwork(err error) bool {
	var (
		authority x509.UnknownAuthorityError
		host      x509.HostnameError
		invalid   x509.CertificateInvalidError
		verify    *tls.CertificateVerificationError
		record    tls.RecordHeaderError
	)
	switch {
	case errors.As(err, &authority), errors.As(err, &host), errors.As(err, &invalid), errors.As(err, &verify), errors.As(err, &record):
		return false
	case errors.Is(err, syscall.ECONNREFUSED):
		return false
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF), errors.Is(err, errIdle), errors.Is(err, context.DeadlineExceeded):
		return true
	}
	// Every url.Error is a net.Error, also that of a redirect loop: what it wraps decides.
	var at *url.Error
	for errors.As(err, &at) {
		err = at.Err
	}
	var op net.Error
	return errors.As(err, &op)
}
