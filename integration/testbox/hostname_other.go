//go:build !linux

package main

import "errors"

func setHostname(string) error { return errors.New("this test program cannot set the host name here") }
