package main

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"os"

	"github.com/xcengine/xc/engine/daemon"
)

// serverTLS reads the files of mutual TLS; nil when it is not asked for. Clients are known by the certificates that the CA in
// the file signed, and by no other CA.
func serverTLS(cfg daemon.Config) (*tls.Config, error) {
	if !cfg.TLSVerify {
		return nil, nil
	}
	for _, f := range []struct{ flag, path string }{
		{"--tlscacert", cfg.TLSCACert}, {"--tlscert", cfg.TLSCert}, {"--tlskey", cfg.TLSKey},
	} {
		if f.path == "" {
			return nil, usageError{fmt.Errorf("--tlsverify needs %s FILE (PEM)", f.flag)}
		}
	}
	ca, err := os.ReadFile(cfg.TLSCACert)
	if err != nil {
		return nil, fmt.Errorf("--tlscacert: %w", err)
	}
	clients := x509.NewCertPool()
	if !clients.AppendCertsFromPEM(ca) {
		return nil, fmt.Errorf("--tlscacert %s: no certificate (PEM) is in it", cfg.TLSCACert)
	}
	own, err := tls.LoadX509KeyPair(cfg.TLSCert, cfg.TLSKey)
	if err != nil {
		return nil, fmt.Errorf("--tlscert %s, --tlskey %s: %w", cfg.TLSCert, cfg.TLSKey, err)
	}
	return &tls.Config{
		MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{own},
		ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: clients,
	}, nil
}
