package ifconfig

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"time"

	"golang.org/x/sys/unix"

	"github.com/xcengine/xc/engine/platform/freebsd/jail"
)

// stageWord is the first argument of the program when it is run as the helper; the jail's number is the second.
const stageWord = "jail-sockets"

// stageFD is the helper's end of the conversation.
const stageFD = 3

// helperTimeout bounds how long the helper may take.
const helperTimeout = 20 * time.Second

// Stage runs the helper when the program's arguments, its name included, ask for it; it does not return then.
func Stage(args []string) {
	if len(args) != 3 || args[1] != stageWord {
		return
	}
	if err := handOver(args[2]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

// handOver opens the stack of a jail and sends its sockets, with what is to be seen in it.
func handOver(number string) error {
	jid, err := strconv.Atoi(number)
	if err != nil {
		return err
	}
	if err := jail.Attach(jid); err != nil {
		return err
	}
	s, err := openStack()
	if err != nil {
		return err
	}
	interfaces, err := look()
	if err != nil {
		return err
	}
	b, err := json.Marshal(answer{Interfaces: interfaces})
	if err != nil {
		return err
	}
	if err := unix.Sendmsg(stageFD, b[:1], unix.UnixRights(s.inet, s.inet6, s.route), nil, 0); err != nil {
		return os.NewSyscallError("sendmsg", err)
	}
	for b = b[1:]; len(b) > 0; {
		n, err := unix.Write(stageFD, b)
		if err != nil {
			return os.NewSyscallError("write", err)
		}
		b = b[n:]
	}
	return nil
}

// enter opens the stack of a jail through the helper.
func enter(ctx context.Context, helper string, jid int) (stack, error) {
	ctx, cancel := context.WithTimeout(ctx, helperTimeout)
	defer cancel()
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return stack{}, os.NewSyscallError("socketpair", err)
	}
	ours, theirs := fds[0], os.NewFile(uintptr(fds[1]), "helper")
	defer unix.Close(ours)
	var complaint bytes.Buffer
	cmd := exec.CommandContext(ctx, helper, stageWord, strconv.Itoa(jid))
	cmd.Env, cmd.Dir, cmd.Stderr, cmd.ExtraFiles = []string{"GOMAXPROCS=1"}, "/", &complaint, []*os.File{theirs}
	err = cmd.Start()
	theirs.Close()
	if err != nil {
		return stack{}, err
	}
	// The end of the helper, also by ctx, ends the reading.
	s, err := receive(ours)
	if failed := cmd.Wait(); failed != nil {
		s.close()
		return stack{}, fmt.Errorf("enter the network of jail %d: %s: %w", jid, bytes.TrimSpace(complaint.Bytes()), failed)
	}
	if err != nil {
		s.close()
	}
	return s, err
}

// receive reads the helper's answer to its end.
func receive(fd int) (stack, error) {
	s := stack{inet: -1, inet6: -1, route: -1}
	var text []byte
	buf, rights := make([]byte, 8192), make([]byte, unix.CmsgSpace(3*4))
	for {
		n, nr, _, _, err := unix.Recvmsg(fd, buf, rights, unix.MSG_CMSG_CLOEXEC)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil {
			return s, os.NewSyscallError("recvmsg", err)
		}
		if n == 0 {
			break
		}
		text = append(text, buf[:n]...)
		if nr == 0 {
			continue
		}
		if err := s.take(rights[:nr]); err != nil {
			return s, err
		}
	}
	var a answer
	if err := json.Unmarshal(text, &a); err != nil {
		return s, fmt.Errorf("answer of the network helper: %w", err)
	}
	if s.inet < 0 {
		return s, errors.New("the network helper sent no sockets")
	}
	s.known = a.Interfaces
	return s, nil
}

func (s *stack) take(rights []byte) error {
	messages, err := unix.ParseSocketControlMessage(rights)
	if err != nil || len(messages) != 1 {
		return fmt.Errorf("sockets of the network helper: %d messages (%w)", len(messages), err)
	}
	fds, err := unix.ParseUnixRights(&messages[0])
	if err != nil || len(fds) != 3 {
		return fmt.Errorf("sockets of the network helper: %d (%w)", len(fds), err)
	}
	s.inet, s.inet6, s.route = fds[0], fds[1], fds[2]
	return nil
}
