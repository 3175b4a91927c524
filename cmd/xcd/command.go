package main

import (
	"errors"
	"fmt"
	"log/slog"

	"github.com/spf13/cobra"

	"github.com/xcengine/xc/engine/daemon"
)

// usageError is a wrong command line.
type usageError struct{ error }

func isUsage(err error) bool {
	var u usageError
	return errors.As(err, &u)
}

// options are the flags; those that were given override the file.
type options struct {
	config string
	flags  daemon.Config
}

func command() *cobra.Command {
	var o options
	cmd := &cobra.Command{
		Use:   "xcd [flags] [CONFIG]",
		Short: "The container daemon: the Docker Engine API over jails on FreeBSD and an OCI runtime on Linux",
		Long: `Xcd serves the Docker Engine API on the sockets that -H names and xc's own on --socket. Everything that it keeps lies below the
state directory, so several daemons can run beside each other. SIGTERM ends it; containers run on, and the next xcd on the
same state directory takes them up again.`,
		Args:    cobra.MaximumNArgs(1),
		Version: version, SilenceUsage: true, SilenceErrors: true,
		RunE: func(cmd *cobra.Command, args []string) error {
			cfg, err := o.load(cmd, args)
			if err != nil {
				return err
			}
			return serve(cmd.Context(), cfg, logger(cmd, cfg))
		},
	}
	cmd.SetVersionTemplate("xcd {{.Version}} (" + commit + ")\n")
	cmd.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usageError{err} })
	o.define(cmd)
	purge := &cobra.Command{
		Use:   "purge",
		Short: "Stop and remove everything that a state directory's daemon left on this host, and the directory",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			cfg, err := o.load(cmd, args)
			if err != nil {
				return err
			}
			return purgeHost(cmd.Context(), cfg, logger(cmd, cfg))
		},
	}
	cmd.AddCommand(purge, readyCommand(&o), shutdownCommand(&o))
	cmd.CompletionOptions.DisableDefaultCmd = true
	return cmd
}

func (o *options) define(cmd *cobra.Command) {
	f := cmd.PersistentFlags()
	f.StringVarP(&o.config, "config", "c", "", "configuration file (default "+daemon.DefaultFile+", if it is there)")
	f.StringVar(&o.flags.StateDir, "state-dir", "", "directory for everything the daemon keeps (default "+daemon.Defaults().StateDir+")")
	f.StringArrayVarP(&o.flags.Hosts, "host", "H", nil, "where the Docker API is served: unix:///PATH, tcp://HOST:PORT, or fd:// for sockets that are passed; may be repeated (default "+daemon.Defaults().Hosts[0]+")")
	f.BoolVar(&o.flags.TLSVerify, "tlsverify", false, "serve tcp:// with TLS to those whose certificate the CA signed")
	f.StringVar(&o.flags.TLSCACert, "tlscacert", "", "file of the CA (PEM) that signs the clients' certificates")
	f.StringVar(&o.flags.TLSCert, "tlscert", "", "file of xcd's own certificate (PEM)")
	f.StringVar(&o.flags.TLSKey, "tlskey", "", "file of its private key (PEM)")
	f.BoolVar(&o.flags.InsecureTCP, "insecure-tcp", false, "serve tcp:// without TLS, on loopback alone: every user of this host becomes root by it")
	f.StringVar(&o.flags.SocketPath, "socket", "", "socket of xc's own API (default "+daemon.Defaults().SocketPath+")")
	f.StringVarP(&o.flags.Group, "group", "G", "", "group that owns the Docker socket (default docker, if there is one)")
	f.StringVar(&o.flags.StorageDriver, "storage-driver", "", "overlay, zfs or copy (default: the first that works)")
	f.StringVar(&o.flags.Runtime, "runtime", "", "OCI runtime on Linux, name or path (default: crun, else runc)")
	f.StringVar(&o.flags.LogDriver, "log-driver", "", "log driver of containers that name none: json-file, local, syslog, none")
	f.StringArrayVar(&o.flags.Mirrors, "registry-mirror", nil, "mirror of docker.io that is tried first; may be repeated")
	f.StringArrayVar(&o.flags.Insecure, "insecure-registry", nil, "registry, or network in CIDR form, that may use plain HTTP; may be repeated")
	f.StringVar(&o.flags.HTTPProxy, "http-proxy", "", "proxy for what is fetched by HTTP (default: the environment's HTTP_PROXY)")
	f.StringVar(&o.flags.HTTPSProxy, "https-proxy", "", "proxy for what is fetched by HTTPS (default: the environment's HTTPS_PROXY)")
	f.StringVar(&o.flags.NoProxy, "no-proxy", "", "hosts, domains and networks that are reached directly, separated by commas (default: the environment's NO_PROXY)")
	f.StringVar(&o.flags.DefaultBridge.Subnet, "bip", "", "gateway and subnet of the network bridge, CIDR (default: the first free pool)")
	f.BoolVarP(&o.flags.Debug, "debug", "D", false, "log more")
}

// load reads defaults, then the file, then the flags.
func (o *options) load(cmd *cobra.Command, args []string) (daemon.Config, error) {
	cfg := daemon.Defaults()
	path, named := daemon.DefaultFile, false
	switch {
	case o.config != "" && len(args) > 0:
		return cfg, usageError{fmt.Errorf("the configuration file is given twice: %s and %s", o.config, args[0])}
	case o.config != "":
		path, named = o.config, true
	case len(args) > 0:
		path, named = args[0], true
	}
	if err := daemon.LoadFile(&cfg, path, named); err != nil {
		return cfg, err
	}
	o.apply(cmd, &cfg)
	return cfg, nil
}

// apply lets the flags that were given override what the file said.
func (o *options) apply(cmd *cobra.Command, cfg *daemon.Config) {
	given := cmd.Flags().Changed
	for name, set := range map[string]func(){
		"state-dir":         func() { cfg.StateDir = o.flags.StateDir },
		"host":              func() { cfg.Hosts = o.flags.Hosts },
		"tlsverify":         func() { cfg.TLSVerify = o.flags.TLSVerify },
		"tlscacert":         func() { cfg.TLSCACert = o.flags.TLSCACert },
		"tlscert":           func() { cfg.TLSCert = o.flags.TLSCert },
		"tlskey":            func() { cfg.TLSKey = o.flags.TLSKey },
		"insecure-tcp":      func() { cfg.InsecureTCP = o.flags.InsecureTCP },
		"socket":            func() { cfg.SocketPath = o.flags.SocketPath },
		"group":             func() { cfg.Group = o.flags.Group },
		"storage-driver":    func() { cfg.StorageDriver = o.flags.StorageDriver },
		"runtime":           func() { cfg.Runtime = o.flags.Runtime },
		"log-driver":        func() { cfg.LogDriver = o.flags.LogDriver },
		"registry-mirror":   func() { cfg.Mirrors = o.flags.Mirrors },
		"insecure-registry": func() { cfg.Insecure = o.flags.Insecure },
		"http-proxy":        func() { cfg.HTTPProxy = o.flags.HTTPProxy },
		"https-proxy":       func() { cfg.HTTPSProxy = o.flags.HTTPSProxy },
		"no-proxy":          func() { cfg.NoProxy = o.flags.NoProxy },
		"bip":               func() { cfg.DefaultBridge.Subnet = o.flags.DefaultBridge.Subnet },
		"debug":             func() { cfg.Debug = o.flags.Debug },
	} {
		if given(name) {
			set()
		}
	}
}

func logger(cmd *cobra.Command, cfg daemon.Config) *slog.Logger {
	level := slog.LevelInfo
	if cfg.Debug {
		level = slog.LevelDebug
	}
	return slog.New(slog.NewTextHandler(cmd.ErrOrStderr(), &slog.HandlerOptions{Level: level}))
}
