package networks

import (
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"github.com/xcengine/xc/engine"
)

// The options of dockerd's bridge driver (moby libnetwork/drivers/bridge/labels.go and libnetwork/netlabel, version 28), and
// of the driver "xc".
const (
	optBridgeName   = "com.docker.network.bridge.name"
	optMasquerade   = "com.docker.network.bridge.enable_ip_masquerade"
	optGatewayMode4 = "com.docker.network.bridge.gateway_mode_ipv4"
	optGatewayMode6 = "com.docker.network.bridge.gateway_mode_ipv6"
	optICC          = "com.docker.network.bridge.enable_icc"
	optInhibit4     = "com.docker.network.bridge.inhibit_ipv4"
	optBinding4     = "com.docker.network.bridge.host_binding_ipv4"
	optDefault      = "com.docker.network.bridge.default_bridge"
	optMTU          = "com.docker.network.driver.mtu"
	optEnable4      = "com.docker.network.enable_ipv4"
	optEnable6      = "com.docker.network.enable_ipv6"
	optIfPrefix     = "com.docker.network.container_iface_prefix"
	optHost4        = "com.docker.network.host_ipv4"
	optHost6        = "com.docker.network.host_ipv6"
	optAlias        = "alias"
	optBridge       = "bridge"
	optRouter       = "default_router"
	optStart        = "start"
	optEnd          = "end"

	// Of an endpoint.
	optIfName  = "com.docker.network.endpoint.ifname"
	optSysctls = "com.docker.network.endpoint.sysctls"
	// Names under which aux addresses stand for the default router, in place of the bridge's address.
	auxRouter4 = "DefaultGatewayIPv4"
	auxRouter6 = "DefaultGatewayIPv6"
)

// maxIfName is the longest name of an interface, IFNAMSIZ without its end.
const maxIfName = 15

// options are a network's driver options, read.
type options struct {
	bridge, alias    string
	mtu              int
	icc, masquerade  bool
	mode4, mode6     engine.GatewayMode
	inhibit4         bool
	binding          netip.Addr // where ports are published that name no address; invalid: everywhere
	host4, host6     netip.Addr
	ifPrefix         string
	router4, router6 netip.Addr   // of the driver xc
	start, end       []netip.Addr // of the driver xc: what is handed out of each subnet
}

// parseOptions reads a network's options as dockerd does: those it does not know are kept for inspect only.
func parseOptions(driver string, opts map[string]string) (options, error) {
	o := options{icc: true, masquerade: true, ifPrefix: "eth"}
	readers := o.bridgeReaders()
	if driver == driverXC {
		readers = o.xcReaders()
	}
	for key, value := range opts {
		read := readers[key]
		if read == nil {
			continue
		}
		if err := read(value); err != nil {
			return options{}, invalid("", fmt.Errorf("failed to parse %s value: %s (%w)", key, value, err))
		}
	}
	if o.mtu < 0 {
		return options{}, invalid("", fmt.Errorf("invalid MTU number: %d", o.mtu))
	}
	return o, nil
}

func (o *options) bridgeReaders() map[string]func(string) error {
	return map[string]func(string) error{
		optBridgeName:   unlessEmpty(interfaceName(&o.bridge)),
		optMasquerade:   boolean(&o.masquerade),
		optICC:          boolean(&o.icc),
		optInhibit4:     boolean(&o.inhibit4),
		optGatewayMode4: gatewayMode(&o.mode4),
		optGatewayMode6: gatewayMode(&o.mode6),
		optBinding4:     address(&o.binding),
		optHost4:        address(&o.host4),
		optHost6:        address(&o.host6),
		optIfPrefix:     interfaceName(&o.ifPrefix),
		optMTU:          mtu(&o.mtu),
	}
}

func (o *options) xcReaders() map[string]func(string) error {
	return map[string]func(string) error{
		optAlias:  interfaceName(&o.alias),
		optBridge: interfaceName(&o.bridge),
		optMTU:    mtu(&o.mtu),
		optStart:  addresses(&o.start),
		optEnd:    addresses(&o.end),
		optRouter: func(s string) error {
			for part := range strings.SplitSeq(s, ",") {
				a, err := netip.ParseAddr(part)
				switch {
				case err != nil:
					return err
				case a.Is4():
					o.router4 = a
				default:
					o.router6 = a
				}
			}
			return nil
		},
	}
}

// addresses reads a list, separated by commas.
func addresses(to *[]netip.Addr) func(string) error {
	return func(s string) error {
		for part := range strings.SplitSeq(s, ",") {
			a, err := netip.ParseAddr(part)
			if err != nil {
				return err
			}
			*to = append(*to, a)
		}
		return nil
	}
}

func boolean(to *bool) func(string) error {
	return func(s string) (err error) {
		*to, err = strconv.ParseBool(s)
		return err
	}
}

func address(to *netip.Addr) func(string) error {
	return func(s string) error {
		a, err := netip.ParseAddr(s)
		if err != nil {
			return errors.New("nil ip") // as dockerd has it
		}
		*to = a.Unmap()
		return nil
	}
}

func gatewayMode(to *engine.GatewayMode) func(string) error {
	return func(s string) error {
		*to = engine.GatewayMode(s)
		switch *to {
		case engine.GatewayNAT, engine.GatewayNATUnprotected, engine.GatewayRouted, engine.GatewayIsolated:
			return nil
		}
		return fmt.Errorf("unknown gateway mode %s", s)
	}
}

func mtu(to *int) func(string) error {
	return func(s string) (err error) {
		*to, err = strconv.Atoi(s)
		return err
	}
}

// unlessEmpty makes an empty value mean the default.
func unlessEmpty(read func(string) error) func(string) error {
	return func(s string) error {
		if s == "" {
			return nil
		}
		return read(s)
	}
}

func interfaceName(to *string) func(string) error {
	return func(s string) error {
		if s == "" || len(s) > maxIfName || s == "." || s == ".." || strings.ContainsAny(s, "/: \t\n") {
			return fmt.Errorf("%q is no name of an interface", s)
		}
		*to = s
		return nil
	}
}
