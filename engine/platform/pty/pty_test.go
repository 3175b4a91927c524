package pty

import (
	"testing"

	"golang.org/x/sys/unix"
)

func TestOpenGivesBothEndsOfOneTerminal(t *testing.T) {
	master, terminal, err := Open()
	if err != nil {
		t.Fatal(err)
	}
	defer master.Close()
	defer terminal.Close()
	if _, err := terminal.WriteString("word"); err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 8)
	n, err := master.Read(b)
	if err != nil || string(b[:n]) != "word" {
		t.Fatalf("%q %v", b[:n], err)
	}
	if err := Resize(master, 33, 132); err != nil {
		t.Fatal(err)
	}
	ws, err := unix.IoctlGetWinsize(int(terminal.Fd()), unix.TIOCGWINSZ)
	if err != nil || ws.Row != 33 || ws.Col != 132 {
		t.Fatalf("%+v %v", ws, err)
	}
}
