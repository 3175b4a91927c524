// Package platform opens the drivers of the system that the daemon runs on. Each platform_<os>.go lists its system's drivers by
// hand, and asserts that they are what the services want.
package platform
